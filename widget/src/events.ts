// Events: the facts a page may tell, field for field as the log keeps them.

export type Consent = "none" | "measurement" | "profiling";

export type Referrer = "" | "direct" | "internal" | "recommendation" | "search" | "social" | "other";

export interface Impression {
  kind: "impression";
  slate_id: string;
  article: string;
  position: number;
  reader: string;
  visit: string;
  share: number;
  seconds: number;
  threshold_share: number;
  threshold_seconds: number;
}

export interface Click {
  kind: "click";
  slate_id: string;
  article: string;
  position: number;
  reader: string;
  visit: string;
}

export interface Read {
  kind: "read";
  article: string;
  reader: string;
  visit: string;
  engaged_seconds: number;
  scroll_depth: number;
  referrer: Referrer;
}

export interface ConsentChange {
  kind: "consent";
  reader: string;
  state: Consent;
}

export type Body = Impression | Click | Read | ConsentChange;

export interface Header {
  id: string;
  site: string;
  at: string;
  consent: Consent;
}

export type Event = Header & Body;

/** Mint a UUIDv7: the time in milliseconds, then ten random bytes, so that ids sort by time. */
export function newId(now: number, random: Uint8Array): string {
  const bytes = new Uint8Array(16);
  for (let index = 5, rest = now; index >= 0; index--, rest = Math.floor(rest / 256)) bytes[index] = rest % 256;
  bytes.set(random.subarray(0, 10), 6);
  bytes[6] = (bytes[6]! & 0x0f) | 0x70;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** Mint an id now. */
export function freshId(): string {
  return newId(Date.now(), crypto.getRandomValues(new Uint8Array(10)));
}
