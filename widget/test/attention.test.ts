import assert from "node:assert/strict";
import { test } from "node:test";
import { depth, Engagement, referrerKind } from "../src/attention.ts";

function spend(engagement: Engagement, from: number, seconds: number, visible = true, touch = false): number {
  for (let second = 1; second <= seconds; second++) {
    if (touch) engagement.touch(from + second * 1000);
    engagement.tick(from + second * 1000, visible);
  }
  return from + seconds * 1000;
}

test("time counts while the page is visible and its reader alive", () => {
  const engagement = new Engagement(0);
  const now = spend(engagement, 0, 12, true, true);
  spend(engagement, now, 60, false);
  assert.equal(engagement.seconds, 12);
});

test("a page left alone stops counting after half a minute", () => {
  const engagement = new Engagement(0);
  spend(engagement, 0, 300);
  assert.equal(engagement.seconds, 29);
});

test("a machine that slept was not reading", () => {
  const engagement = new Engagement(0);
  engagement.touch(3_600_000);
  engagement.tick(3_600_000, true);
  assert.equal(engagement.seconds, 2);
});

test("a clock that goes back takes nothing away", () => {
  const engagement = new Engagement(5000);
  engagement.tick(4000, true);
  assert.equal(engagement.seconds, 0);
});

test("depth is a share of the page", () => {
  assert.deepEqual([depth(0, 500, 2000), depth(1500, 500, 2000), depth(9000, 500, 2000), depth(0, 500, 0)], [0.25, 1, 1, 0]);
});

test("a referrer is kept as a kind", () => {
  const kinds = ["", "https://g.example/a", "https://www.google.fr/", "https://t.co/x", "https://m.facebook.com/", "https://other.example/", "::"];
  assert.deepEqual(
    kinds.map((one) => referrerKind(one, "g.example")),
    ["direct", "internal", "search", "social", "social", "other", "other"],
  );
});
