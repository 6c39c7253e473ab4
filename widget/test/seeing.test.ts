import assert from "node:assert/strict";
import { test } from "node:test";
import { Watch } from "../src/seeing.ts";

test("half in view for a second is seen, once", () => {
  const watch = new Watch();
  assert.equal(watch.look(0.6, 1000), 1000);
  assert.equal(watch.seen(1900), null);
  assert.deepEqual(watch.seen(2010), { share: 0.6, seconds: 1 });
  assert.equal(watch.seen(9000), null);
});

test("less than half is not seen, however long", () => {
  const watch = new Watch();
  assert.equal(watch.look(0.49, 0), 0);
  assert.equal(watch.seen(60_000), null);
});

test("going out of view starts again", () => {
  const watch = new Watch();
  watch.look(1, 0);
  watch.look(0, 900);
  assert.equal(watch.look(0.5, 1000), 1000);
  assert.equal(watch.seen(1500), null);
  assert.deepEqual(watch.seen(2000), { share: 0.5, seconds: 1 });
});

test("more in view does not start again, and the largest share is told", () => {
  const watch = new Watch();
  watch.look(0.5, 0);
  assert.equal(watch.look(0.8, 400), 600);
  assert.deepEqual(watch.seen(1000), { share: 0.8, seconds: 1 });
});
