// Seeing: an article could be seen when enough of it was in view for long enough.

export const SHARE = 0.5;
export const SECONDS = 1;

export interface Sight {
  share: number;
  seconds: number;
}

/** Whether anybody can see the page now. */
export function visible(): boolean {
  return document.visibilityState === "visible";
}

/**
 * Follow one article: returns what to call with its share in view, whenever that changes.
 * `seen` is called once, after a second without a break at half or more.
 */
export function follow(
  seen: (sight: Sight) => void,
  now: () => number = () => performance.now(),
  later: (action: () => void, milliseconds: number) => unknown = setTimeout,
): (share: number) => void {
  let since = 0;
  let largest = 0;
  let round = 0; // a break ends what was begun before
  let over = false;
  return (share) => {
    if (share < SHARE) {
      round++;
      largest = 0;
      return;
    }
    if (!largest) {
      since = now();
      const begun = round;
      const end = (): void => {
        const seconds = Math.round((now() - since) / 100) / 10;
        if (over || begun !== round) return;
        over = true;
        seen({ share: Math.round(largest * 1000) / 1000, seconds });
      };
      later(end, SECONDS * 1000 + 5);
    }
    largest = Math.max(largest, share);
  };
}

/** Call `seen` once for each element that could be seen. */
export function watch(elements: readonly Element[], seen: (index: number, sight: Sight) => void): void {
  const shares = elements.map(() => 0);
  const looks = elements.map((_, index) => follow((sight) => seen(index, sight)));
  const all = (): void => looks.forEach((look, index) => look(visible() ? shares[index]! : 0));
  const observer = new IntersectionObserver(
    (entries) => {
      for (const entry of entries) shares[elements.indexOf(entry.target)] = entry.intersectionRatio;
      all();
    },
    { threshold: [0, SHARE, 0.75, 1] },
  );
  for (const element of elements) observer.observe(element);
  document.addEventListener("visibilitychange", all);
}
