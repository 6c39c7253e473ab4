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
  const bytes = random.slice(0, 10);
  bytes[0] = (bytes[0]! & 0x0f) | 0x70;
  bytes[2] = (bytes[2]! & 0x3f) | 0x80;
  const hex = now.toString(16).padStart(12, "0") + Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** Mint an id now. */
export function freshId(): string {
  const random = new Uint8Array(10);
  try {
    crypto.getRandomValues(random);
  } catch {
    random.forEach((_, index) => (random[index] = Math.random() * 256)); // an id that may be guessed, rather than none
  }
  return newId(Date.now(), random);
}

/** Write a flat record as one line of JSON. Not by `JSON.stringify`: old libraries redefine `toJSON` under its feet. */
export function line(record: object): string {
  return `{${Object.entries(record)
    .map(([name, value]) => `"${name}":${typeof value === "number" ? value : quote(value as string)}`)
    .join()}}`;
}

function quote(text: string): string {
  return `"${text.replace(/[\0-\x1f"\\]/g, (one) => "\\u" + (65536 + one.charCodeAt(0)).toString(16).slice(1))}"`;
}

/** When an event was minted, read from its line: the first 48 bits of its id are a time. NaN for what is no event. */
export function mintedAt(written: string): number {
  return parseInt(written.slice(7, 15) + written.slice(16, 20), 16);
}
