// Keeping: unsent events wait on the device between pages, once the reader has consented. Each tab has a key of its own.

export const QUEUE = "embellie.queue.";
const STALE = 60_000; // a tab that has written nothing for so long has ended, or will send again what is sent for it

export class Shelf {
  private readonly queues: string;
  private readonly own: string;

  /**
   * @param storage Where; may throw.
   * @param site Whose events: the queue of another site of the same origin is left alone.
   * @param id This tab's own key.
   * @param allowed Whether anything may be stored now.
   */
  constructor(
    private readonly storage: () => Storage,
    site: string,
    id: string,
    private readonly allowed: () => boolean,
    private readonly clock: () => number = Date.now,
  ) {
    this.queues = `${QUEUE}${site}.`;
    this.own = this.queues + id;
  }

  /** Write down what waits; `left` says that the page ends, so that the next one need not wait to take it up. */
  keep(lines: string[], lost: number, left: boolean): void {
    if (!this.allowed()) return;
    try {
      if (lines.length || lost) this.storage().setItem(this.own, [left ? 0 : this.clock(), lost, ...lines].join("\n"));
      else this.storage().removeItem(this.own);
    } catch {
      /* full, forbidden or absent: what waits lasts as long as the page */
    }
  }

  /**
   * Give what tabs that ended left behind to `adopt`, then remove it: in this order, so that a tab that ends between the
   * two leaves it twice rather than never. Two tabs that take the same up send it twice; the server counts each id once.
   */
  take(adopt: (lines: string[], lost: number) => void): void {
    if (!this.allowed()) return;
    this.each(this.queues, (name) => {
      const [at, lost, ...lines] = this.storage().getItem(name)!.split("\n");
      if (name === this.own || this.clock() - Number(at) < STALE) return;
      adopt(lines, Number(lost) || 0);
      this.storage().removeItem(name);
    });
  }

  /** Remove every queue of this browser: the reader has withdrawn. */
  clear(): void {
    this.each(QUEUE, (name) => this.storage().removeItem(name));
  }

  private each(prefix: string, action: (name: string) => void): void {
    try {
      for (const name of Object.keys(this.storage())) if (name.startsWith(prefix)) action(name);
    } catch {
      /* as above */
    }
  }
}
