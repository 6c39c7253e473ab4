// Sending: events in batches that survive the page's end, tried again until the server has them.

import { mintedAt } from "./events.ts";

const MOST_BYTES = 30_000; // of one post
const MOST_FLYING = 60_000; // browsers allow 64 kB of keepalive requests at once
const MOST_WAITING = 300;
const OLDEST = 7 * 24 * 3600 * 1000; // the server puts what is older at this bound
const GATHER = 1500;
const HEARD = 5 * 60_000; // a server that answered so lately is trusted with what leaves as the page closes

export interface Net {
  fetch: (url: string, options: RequestInit) => Promise<{ status: number; headers: { get(name: string): string | null } }>;
  later: (action: () => void, milliseconds: number) => void;
  chance: () => number;
  online: () => boolean;
  clock: () => number;
}

export interface Keeper {
  keep(lines: string[], lost: number, left: boolean): void;
  take(adopt: (lines: string[], lost: number) => void): void;
}

function bytes(text: string): number {
  return new TextEncoder().encode(text).length;
}

/** Cut events into batches of at most `most` bytes. */
export function batches(lines: readonly string[], most: number = MOST_BYTES): string[][] {
  const found: string[][] = [];
  let room = 0;
  for (const line of lines) {
    const size = bytes(line) + 1;
    if (size > room) {
      found.push([]);
      room = most;
    }
    found[found.length - 1]!.push(line);
    room -= size;
  }
  return found;
}

/** Wait before the next try: doubling, up to five minutes, spread at random so that pages do not return together. */
export function pause(tries: number, random: number, retryAfter: string | null): number {
  const asked = Number(retryAfter) * 1000 || 0;
  return Math.max(Math.min(1000 * 2 ** tries, 300_000) * (0.5 + random / 2), Math.min(asked, 600_000));
}

/** Tell whether trying again can help: not when the request itself is at fault. */
export function worthAnother(status: number): boolean {
  return status === 0 || status === 429 || status >= 500;
}

export class Sender {
  private waiting: string[] = []; // all that the server has not acknowledged, oldest first
  private readonly flying = new Set<string>();
  private weight = 0;
  private lost = 0;
  private planned = false;
  private tries = 0;
  private heardAt = -Infinity;

  constructor(
    private readonly address: string,
    private readonly net: Net,
    private readonly keeper: Keeper,
  ) {}

  /** Queue an event, as a line of JSON; it leaves with its neighbours in a moment. The oldest goes when too many wait. */
  add(line: string): void {
    this.admit([line], this.waiting);
    this.plan(GATHER);
  }

  /** Take up what earlier pages could not send. */
  resume(): void {
    this.keeper.take((lines, lost) => {
      this.lost += lost;
      const newer = this.waiting;
      this.admit(lines, []);
      this.admit(newer, this.waiting);
    });
    this.save();
    if (this.waiting.length) this.plan(GATHER);
  }

  /** Send what waits, now. */
  flush(): void {
    for (const batch of batches(this.waiting.filter((one) => !this.flying.has(one)))) {
      const weight = bytes(batch.join());
      if (this.weight + weight > MOST_FLYING) break; // the rest when these have arrived
      void this.send(batch, weight);
    }
  }

  /** The network is back, or the page: try at once. */
  retry(): void {
    this.tries = 0;
    this.flush();
  }

  /** The page ends: send what waits, and leave behind what may not arrive. */
  leave(): void {
    this.flush();
    this.save(true);
  }

  /** The server answered, or did not. */
  heard(answered: boolean): void {
    this.heardAt = answered ? this.net.clock() : -Infinity;
  }

  private admit(lines: string[], after: string[]): void {
    const fine = lines.filter((line) => Date.now() - mintedAt(line) < OLDEST && bytes(line) < MOST_BYTES);
    this.waiting = [...after, ...fine];
    this.lost += lines.length - fine.length + this.waiting.splice(0, this.waiting.length - MOST_WAITING).length;
    this.save();
  }

  private plan(milliseconds: number): void {
    if (this.planned) return;
    this.planned = true;
    this.net.later(() => {
      this.planned = false;
      this.flush();
    }, milliseconds);
  }

  private save(left = false): void {
    // What is in flight to a server that answers outlives the page; kept as well, each would be sent twice.
    const sure = left && this.net.online() && this.net.clock() - this.heardAt < HEARD;
    const lines = sure ? this.waiting.filter((one) => !this.flying.has(one)) : this.waiting;
    this.keeper.keep(lines, this.lost, left);
  }

  private async send(batch: string[], weight: number): Promise<void> {
    let status = 0;
    let retryAfter: string | null = null;
    const lost = this.lost;
    this.lost = 0;
    this.weight += weight;
    for (const line of batch) this.flying.add(line);
    try {
      // A plain string goes as text/plain: no preflight, so it may leave while the page closes.
      // When it leaves, by this device's clock: the server learns how old each event is, however wrong that clock goes.
      const body = `{"events":[${batch.join()}],${lost ? `"lost":${lost},` : ""}"sent_at":"${new Date().toISOString()}"}`;
      const answer = await this.net.fetch(this.address, { method: "POST", body, keepalive: true, credentials: "omit" });
      status = answer.status;
      retryAfter = answer.headers.get("retry-after");
    } catch {
      /* no answer: status 0 */
    }
    this.weight -= weight;
    for (const line of batch) this.flying.delete(line);
    // The ids are minted here, so a batch that arrived without our knowing is not counted twice.
    const again = worthAnother(status);
    this.heard(!again);
    if (again) this.lost += lost;
    else this.waiting = this.waiting.filter((one) => !batch.includes(one));
    this.tries = again ? this.tries + 1 : 0;
    this.save();
    if (this.waiting.length > this.flying.size) this.plan(again ? pause(this.tries, this.net.chance(), retryAfter) : GATHER);
  }
}
