// Sending: events in batches that survive the page's end, tried again when the network or the server fails.

import type { Event } from "./events.ts";

const MOST_BYTES = 40_000; // browsers allow 64 kB of keepalive requests at once
const FRAME = 52; // {"events":[],"sent_at":"2026-05-04T08:00:00.000Z"}
const MOST_WAITING = 300;
const TRIES = 5;
const GATHER = 1500;

export interface Net {
  fetch: (url: string, options: RequestInit) => Promise<{ status: number; headers: { get(name: string): string | null } }>;
  later: (action: () => void, milliseconds: number) => void;
  random: () => number;
}

/** Cut events into batches of at most `most` bytes of JSON; one too large for any batch is dropped. */
export function batches(events: readonly Event[], most: number = MOST_BYTES): Event[][] {
  const found: Event[][] = [];
  let room = 0;
  for (const event of events) {
    const size = new TextEncoder().encode(JSON.stringify(event)).length + 1;
    if (size > most - FRAME) continue;
    if (size > room) {
      found.push([]);
      room = most - FRAME;
    }
    found[found.length - 1]!.push(event);
    room -= size;
  }
  return found;
}

/** Wait before the next try: doubling, up to a minute, spread at random so that pages do not return together. */
export function pause(tries: number, random: number, retryAfter: string | null): number {
  const asked = Number(retryAfter) * 1000 || 0;
  return Math.max(Math.min(1000 * 2 ** tries, 60_000) * (0.5 + random / 2), Math.min(asked, 600_000));
}

/** Tell whether trying again can help: not when the request itself is at fault. */
export function worthAnother(status: number): boolean {
  return status === 0 || status === 429 || status >= 500;
}

export class Sender {
  private waiting: Event[] = [];
  private planned = false;

  constructor(
    private readonly url: string,
    private readonly net: Net,
  ) {}

  /** Queue an event; it leaves with its neighbours in a moment. The oldest goes when too many wait. */
  add(event: Event): void {
    this.waiting.push(event);
    this.waiting.splice(0, this.waiting.length - MOST_WAITING);
    if (this.planned) return;
    this.planned = true;
    this.net.later(() => this.flush(), GATHER);
  }

  /** Send what waits, now. */
  flush(): void {
    this.planned = false;
    for (const batch of batches(this.waiting.splice(0))) void this.send(batch, 1);
  }

  private async send(batch: Event[], tries: number): Promise<void> {
    let status = 0;
    let retryAfter: string | null = null;
    try {
      // A plain string goes as text/plain: no preflight, so it may leave while the page closes.
      // When it leaves, by this device's clock: the server learns how old each event is, however wrong that clock goes.
      const body = JSON.stringify({ events: batch, sent_at: new Date().toISOString() });
      const answer = await this.net.fetch(this.url, { method: "POST", body, keepalive: true, credentials: "omit" });
      status = answer.status;
      retryAfter = answer.headers.get("retry-after");
    } catch {
      /* no answer: status 0 */
    }
    // The ids are minted here, so a batch that arrived without our knowing is not counted twice.
    if (worthAnother(status) && tries < TRIES) {
      this.net.later(() => void this.send(batch, tries + 1), pause(tries, this.net.random(), retryAfter));
    }
  }
}
