// Seeing: an article could be seen when enough of it was in view for long enough.

export const SHARE = 0.5;
export const SECONDS = 1;

export interface Sight {
  share: number;
  seconds: number;
}

/** Follows one article: told what share of it is in view, says once that it could be seen. */
export class Watch {
  private since = -1;
  private largest = 0;
  private over = false;

  /** Take what is in view at `now` (milliseconds); returns when to look again, 0 for no need. */
  look(share: number, now: number): number {
    if (this.over || share < SHARE) {
      this.since = -1;
      this.largest = 0;
      return 0;
    }
    if (this.since < 0) this.since = now;
    this.largest = Math.max(this.largest, share);
    return Math.max(this.since + SECONDS * 1000 - now, 1);
  }

  /** Tell, once, what was seen if it was in view long enough by `now`. */
  seen(now: number): Sight | null {
    if (this.over || this.since < 0 || now - this.since < SECONDS * 1000) return null;
    this.over = true;
    return { share: Math.round(this.largest * 1000) / 1000, seconds: Math.round((now - this.since) / 100) / 10 };
  }
}

/** Call `seen` once for each element that could be seen. Returns what ends the watch. */
export function watch(elements: readonly Element[], seen: (index: number, sight: Sight) => void): () => void {
  const watches = elements.map(() => new Watch());
  const shares = elements.map(() => 0);
  const look = (index: number): void => {
    const one = watches[index]!;
    const share = document.visibilityState === "visible" ? shares[index]! : 0;
    const wait = one.look(share, performance.now());
    if (!wait) return;
    setTimeout(() => {
      const sight = one.seen(performance.now());
      if (sight) seen(index, sight);
    }, wait + 5);
  };
  const observer = new IntersectionObserver(
    (entries) => {
      for (const entry of entries) {
        const index = elements.indexOf(entry.target);
        shares[index] = entry.intersectionRatio;
        look(index);
      }
    },
    { threshold: [0, SHARE, 0.75, 1] },
  );
  const all = (): void => elements.forEach((_, index) => look(index));
  for (const element of elements) observer.observe(element);
  document.addEventListener("visibilitychange", all);
  return () => {
    observer.disconnect();
    document.removeEventListener("visibilitychange", all);
  };
}
