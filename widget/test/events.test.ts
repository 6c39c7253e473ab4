import assert from "node:assert/strict";
import { test } from "node:test";
import { freshId, newId } from "../src/events.ts";

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
