import assert from "node:assert/strict";
import { test } from "node:test";
import { follow, type Sight } from "../src/seeing.ts";

/** A clock that one turns by hand, and what was seen until now. */
function bench(): { look: (share: number) => void; until: (time: number) => void; seen: Sight[] } {
  const planned: { at: number; action: () => void }[] = [];
  const seen: Sight[] = [];
  let now = 0;
  const look = follow(
    (sight) => seen.push(sight),
    () => now,
    (action, milliseconds) => planned.push({ at: now + milliseconds, action }),
  );
  const until = (time: number): void => {
    for (const one of planned.filter(({ at }) => at > now && at <= time)) {
      now = one.at;
      one.action();
    }
    now = time;
  };
  return { look, until, seen };
}

test("half in view for a second is seen, once", () => {
  const { look, until, seen } = bench();
  look(0.6);
  until(900);
  assert.deepEqual(seen, []);
  until(1100);
  assert.deepEqual(seen, [{ share: 0.6, seconds: 1 }]);
  look(0);
  look(1);
  until(9000);
  assert.equal(seen.length, 1);
});

test("less than half is not seen, however long", () => {
  const { look, until, seen } = bench();
  look(0.49);
  until(60_000);
  assert.deepEqual(seen, []);
});

test("going out of view starts again", () => {
  const { look, until, seen } = bench();
  look(1);
  until(900);
  look(0);
  until(1000);
  look(0.5);
  until(1500);
  assert.deepEqual(seen, []);
  until(2100);
  assert.deepEqual(seen, [{ share: 0.5, seconds: 1 }]);
});

test("more in view does not start again, and the largest share is told", () => {
  const { look, until, seen } = bench();
  look(0.5);
  until(400);
  look(0.8);
  until(700);
  look(0.7);
  until(1100);
  assert.deepEqual(seen, [{ share: 0.8, seconds: 1 }]);
});
