import assert from "node:assert/strict";
import { test } from "node:test";
import { Shelf } from "../src/keeping.ts";
import { drawer as empty, size } from "./drawer.ts";

test("what a page leaves, the next one takes up, once", () => {
  const drawer = empty();
  new Shelf(() => drawer, "g", "one", () => true).keep(["a", "b"], 2, true);
  const taken: unknown[] = [];
  const next = new Shelf(() => drawer, "g", "two", () => true);
  for (let turn = 0; turn < 2; turn++) next.take((lines, lost) => taken.push([lines, lost]));
  assert.deepEqual(taken, [[["a", "b"], 2]]);
  assert.equal(size(drawer), 0);
});

test("a tab that lives keeps its own; one that was killed is taken up after a minute", () => {
  const drawer = empty();
  let now = 1_000_000;
  new Shelf(() => drawer, "g", "one", () => true, () => now).keep(["a"], 0, false);
  const other = new Shelf(() => drawer, "g", "two", () => true, () => now);
  now += 59_000;
  other.take(() => assert.fail("taken"));
  const taken: string[][] = [];
  now += 2_000;
  other.take((lines) => void taken.push(lines));
  assert.deepEqual(taken, [["a"]]);
});

test("two tabs write side by side, and neither loses anything", () => {
  const drawer = empty();
  const [one, other] = ["one", "two"].map((id) => new Shelf(() => drawer, "g", id, () => true));
  one!.keep(["a"], 0, false);
  other!.keep(["b"], 0, false);
  one!.keep(["a", "c"], 0, true);
  other!.keep(["b"], 0, true);
  const taken: string[] = [];
  new Shelf(() => drawer, "g", "three", () => true).take((lines) => taken.push(...lines));
  assert.deepEqual(taken.sort(), ["a", "b", "c"]);
});

test("what is taken up is removed only once it is safe elsewhere", () => {
  const drawer = empty();
  new Shelf(() => drawer, "g", "one", () => true).keep(["a"], 0, true);
  const next = new Shelf(() => drawer, "g", "two", () => true);
  next.take(() => {
    throw new Error("the tab ends here");
  });
  assert.equal(size(drawer), 1);
});

test("before consent nothing is written, nothing read", () => {
  const drawer = empty();
  drawer.setItem("embellie.queue.g.x", "0\n0\na");
  const shelf = new Shelf(() => drawer, "g", "one", () => false);
  shelf.keep(["b"], 1, true);
  shelf.take(() => assert.fail("taken"));
  assert.deepEqual([size(drawer), drawer.reads], [1, 0]);
});

test("another site of the same origin is left alone, but a withdrawal takes all", () => {
  const drawer = empty();
  new Shelf(() => drawer, "other", "one", () => true).keep(["a"], 0, true);
  const shelf = new Shelf(() => drawer, "g", "two", () => true);
  shelf.take(() => assert.fail("taken"));
  drawer.setItem("theirs", "x");
  shelf.clear();
  assert.deepEqual(Object.keys(drawer), ["theirs"]);
});

test("an empty queue takes no room, and a forbidden storage does no harm", () => {
  const drawer = empty();
  const shelf = new Shelf(() => drawer, "g", "one", () => true);
  shelf.keep(["a"], 0, false);
  shelf.keep([], 0, false);
  assert.equal(size(drawer), 0);
  const forbidden = new Shelf(() => {
    throw new Error("SecurityError");
  }, "g", "one", () => true); // prettier-ignore
  forbidden.keep(["a"], 0, false);
  forbidden.take(() => assert.fail("taken"));
  forbidden.clear();
});
