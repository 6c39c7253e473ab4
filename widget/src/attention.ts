// Attention: how long an article was really read, and how far down.

import type { Referrer } from "./events.ts";

const IDLE = 30_000;
const LONGEST_TICK = 2_000; // a machine that slept was not reading

/** Seconds with the page visible and a sign of life in the last half minute. */
export class Engagement {
  private milliseconds = 0;
  private last: number;
  private alive: number;

  constructor(now: number) {
    this.last = this.alive = now;
  }

  /** A scroll, a key, a touch, a movement. */
  touch(now: number): void {
    this.alive = now;
  }

  tick(now: number, visible: boolean): void {
    if (visible && this.active(now)) this.milliseconds += Math.min(Math.max(now - this.last, 0), LONGEST_TICK);
    this.last = now;
  }

  /** Whether there was a sign of life in the last half minute. */
  active(now: number): boolean {
    return now - this.alive < IDLE;
  }

  get seconds(): number {
    return Math.round(this.milliseconds / 100) / 10;
  }
}

/** The share of the page that has passed before the reader's eyes, 0 to 1. */
export function depth(top: number, view: number, height: number): number {
  return height > 0 ? Math.round(Math.min(Math.max((top + view) / height, 0), 1) * 1000) / 1000 : 0;
}

// A search engine is the first group; what matches without it is a social site.
const KNOWN =
  /(?:^|\.)(?:(google|bing|duckduckgo|qwant|ecosia|yahoo|yandex|brave)|facebook|instagram|linkedin|reddit|twitter|tiktok|pinterest|threads|whatsapp|telegram|youtube|mastodon|bsky)\.|^(?:t\.co|x\.com|lnkd\.in|t\.me|fb\.me)$/;

/** Where a reader comes from, as a kind: the address itself is never kept. */
export function referrerKind(referrer: string, host: string): Referrer {
  if (!referrer) return "direct";
  try {
    const from = new URL(referrer).hostname;
    if (from === host) return "internal";
    const known = KNOWN.exec(from);
    return known ? (known[1] ? "search" : "social") : "other";
  } catch {
    return "other";
  }
}
