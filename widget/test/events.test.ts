import assert from "node:assert/strict";
import { test } from "node:test";
import { freshId, line, mintedAt, newId } from "../src/events.ts";

test("an id is a UUIDv7 that agrees with the server's", () => {
  const id = newId(Date.UTC(2026, 0, 1), new Uint8Array(10));
  assert.equal(id, "019b76da-a800-7000-8000-000000000000");
});

test("version and variant hold whatever the random bytes", () => {
  const id = newId(Date.UTC(2026, 0, 1), new Uint8Array(10).fill(255));
  assert.equal(id, "019b76da-a800-7fff-bfff-ffffffffffff");
});

test("later ids sort after earlier ones, and none is given twice", () => {
  const random = new Uint8Array(10).fill(7);
  assert.ok(newId(1_700_000_000_000, random) < newId(1_700_000_000_001, random));
  assert.equal(new Set(Array.from({ length: 500 }, freshId)).size, 500);
});

test("a line is JSON, whatever is in it", () => {
  const record = { a: 'x"\\ \n\t\u0000 é 😀 \u2028', n: 0.25, b: "" };
  assert.deepEqual(JSON.parse(line(record)), record);
  assert.ok(!line(record).includes("\n"));
});

test("a page that redefines `toJSON` changes nothing", () => {
  const pages = [Array, String, Number].map((one) => one.prototype as unknown as Record<string, unknown>);
  for (const page of pages) page["toJSON"] = () => "spoilt";
  try {
    assert.equal(line({ a: "x", n: 1 }), '{"a":"x","n":1}');
  } finally {
    for (const page of pages) delete page["toJSON"];
  }
});

test("a line tells when its event was minted; anything else does not", () => {
  const id = newId(1_790_000_000_123, new Uint8Array(10));
  assert.equal(mintedAt(line({ id, kind: "read" })), 1_790_000_000_123);
  for (const other of ["", "{}", "x", '{"site":"gazette","id":1}']) assert.ok(!(mintedAt(other) > 1e12));
});

test("ids are made where there is no source of randomness", () => {
  const real = Object.getOwnPropertyDescriptor(globalThis, "crypto")!;
  Object.defineProperty(globalThis, "crypto", { value: undefined, configurable: true });
  try {
    assert.equal(new Set(Array.from({ length: 200 }, freshId)).size, 200);
  } finally {
    Object.defineProperty(globalThis, "crypto", real);
  }
});
