// Identity: who reads, as far as they consented. Before consent nothing is stored and nobody has an id.

import { type Consent, freshId, line } from "./events.ts";

const READER = "embellie.reader";
const VISIT = "embellie.visit";
const CHOSEN = "embellie.chosen";
const IDLE = 30 * 60 * 1000;

export type Storage = Pick<globalThis.Storage, "getItem" | "setItem" | "removeItem">;

interface Stored {
  id: string;
  consent: Consent;
}

interface Visit {
  id: string;
  at: number;
}

export class Identity {
  consent: Consent = "none";
  reader = "";
  private current = "";
  private stored = false;

  constructor(
    private readonly storage: () => Storage,
    private readonly clock: () => number = Date.now,
    private readonly mint: () => string = freshId,
    private readonly given: string = "", // the newspaper's own id for this reader: used as it is, never stored
  ) {}

  /**
   * Start with what the page says, or with what the reader answered on an earlier page when it says nothing.
   * Returns the id to tell a consent about: one that is new here.
   */
  start(said: string | null | undefined): string {
    // A page that says "none" has nothing read from the storage either: the answer may still come by `change`.
    if (said === "none") return "";
    const stored = this.read<Stored>(READER);
    const state = said || stored?.consent;
    if (state !== "measurement" && state !== "profiling") return "";
    this.admit(state);
    return stored?.consent === state ? "" : this.reader;
  }

  /** Take the reader's answer; returns the id to tell it about, "" when there is none. */
  change(state: Consent): string {
    if (state === "none") {
      // The id may come from an earlier page: a refusal deletes it wherever it was given.
      const known = this.reader || this.read<Stored>(READER)?.id || "";
      this.forget();
      for (const name of [READER, VISIT, CHOSEN]) this.drop(name);
      return known;
    }
    this.admit(state);
    return this.reader;
  }

  /** Take over what another tab, or a page seen since, has stored: above all a withdrawal. */
  sync(): void {
    if (!this.stored) return;
    const state = this.read<Stored>(READER)?.consent;
    if (!state) this.forget();
    else if (this.consent !== "none") this.consent = state;
  }

  /** The visit's id; a new one after 30 minutes without a sign of life. "" before consent. */
  visit(): string {
    if (this.consent === "none") return "";
    const now = this.clock();
    const last = this.read<Visit>(VISIT);
    const id = last?.id && now - last.at < IDLE ? last.id : this.mint();
    this.write(VISIT, { id, at: now });
    return (this.current = id);
  }

  /** The visit as it was when the reader was last active: leaving a forgotten tab begins no new one. */
  lastVisit(): string {
    return this.consent === "none" ? "" : this.current || this.visit();
  }

  /** Remember that a recommendation was chosen, so that the next page knows where its reader comes from. */
  chose(article: string): void {
    if (this.consent !== "none") this.write(CHOSEN, { id: article, at: this.clock() });
  }

  /** Tell whether this article was just chosen from a slate; said once. */
  wasChosen(article: string): boolean {
    if (this.consent === "none") return false;
    const last = this.read<Visit>(CHOSEN);
    this.drop(CHOSEN);
    return last?.id === article && this.clock() - last.at < 60_000;
  }

  private admit(state: Consent): void {
    const kept = this.read<Stored>(READER)?.id || "";
    this.consent = state;
    this.reader = this.given || this.reader || kept || this.mint();
    this.write(READER, { id: this.given ? kept : this.reader, consent: state });
    this.stored = !!this.read(READER);
  }

  private forget(): void {
    this.consent = "none";
    this.reader = this.current = "";
    this.stored = false;
  }

  // Storage may be full, forbidden or absent: the page goes on with ids that last as long as it does.

  private read<T>(name: string): T | null {
    try {
      return JSON.parse(this.storage().getItem(name) ?? "null") as T | null;
    } catch {
      return null;
    }
  }

  private write(name: string, value: object): void {
    try {
      this.storage().setItem(name, line(value));
    } catch {
      /* see above */
    }
  }

  private drop(name: string): void {
    try {
      this.storage().removeItem(name);
    } catch {
      /* see above */
    }
  }
}
