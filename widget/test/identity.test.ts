import assert from "node:assert/strict";
import { test } from "node:test";
import { Identity, type Storage } from "../src/identity.ts";

class Drawer implements Storage {
  readonly kept = new Map<string, string>();
  reads = 0;
  getItem(name: string): string | null {
    this.reads++;
    return this.kept.get(name) ?? null;
  }
  setItem(name: string, value: string): void {
    this.kept.set(name, value);
  }
  removeItem(name: string): void {
    this.kept.delete(name);
  }
}

function page(drawer: Drawer, clock = { now: 0 }): Identity {
  let count = drawer.kept.size * 100;
  return new Identity(() => drawer, () => clock.now, () => `id-${count++}`);
}

test("before consent nothing is stored and nobody has an id", () => {
  const drawer = new Drawer();
  const one = page(drawer);
  one.start("none");
  one.chose("a");
  assert.deepEqual([one.reader, one.visit(), one.lastVisit(), one.wasChosen("a")], ["", "", "", false]);
  assert.equal(drawer.kept.size, 0);
  assert.equal(drawer.reads, 0);
});

test("a page that says nothing, before any answer, stores nothing either", () => {
  const drawer = new Drawer();
  assert.equal(page(drawer).start(undefined), "");
  assert.equal(drawer.kept.size, 0);
});

test("after consent the id lasts, and the next page need not be told", () => {
  const drawer = new Drawer();
  const first = page(drawer);
  const told = first.change("profiling");
  const next = page(drawer);
  assert.equal(next.start(undefined), "");
  assert.equal(told, first.reader);
  assert.deepEqual([next.reader, next.consent], [first.reader, "profiling"]);
});

test("a consent the page declares is told once", () => {
  const drawer = new Drawer();
  const first = page(drawer);
  assert.equal(first.start("measurement"), first.reader);
  assert.equal(page(drawer).start("measurement"), "");
});

test("withdrawal deletes all and names the id that was", () => {
  const drawer = new Drawer();
  const one = page(drawer);
  one.change("profiling");
  one.visit();
  one.chose("a");
  const was = one.reader;
  assert.equal(one.change("none"), was);
  assert.deepEqual([one.reader, one.visit(), drawer.kept.size], ["", "", 0]);
});

test("a refusal deletes an id given on an earlier page", () => {
  const drawer = new Drawer();
  const was = page(drawer).change("profiling");
  const next = page(drawer);
  next.start("none");
  assert.equal(next.change("none"), was);
  assert.equal(drawer.kept.size, 0);
});

test("a visit ends after 30 minutes without a sign of life", () => {
  const drawer = new Drawer();
  const clock = { now: 0 };
  const one = page(drawer, clock);
  one.change("measurement");
  const first = one.visit();
  clock.now += 29 * 60_000;
  assert.equal(one.visit(), first);
  clock.now += 31 * 60_000;
  assert.equal(one.lastVisit(), first);
  assert.notEqual(one.visit(), first);
});

test("a chosen recommendation is remembered for a minute and said once", () => {
  const drawer = new Drawer();
  const clock = { now: 0 };
  const one = page(drawer, clock);
  one.change("measurement");
  one.chose("b");
  assert.deepEqual([one.wasChosen("b"), one.wasChosen("b")], [true, false]);
  one.chose("b");
  assert.equal(one.wasChosen("c"), false);
  one.chose("b");
  clock.now += 61_000;
  assert.equal(one.wasChosen("b"), false);
});

test("a storage that is forbidden, full or damaged does no harm", () => {
  const forbidden = new Identity(() => {
    throw new Error("SecurityError");
  });
  forbidden.start(undefined);
  forbidden.change("profiling");
  assert.match(forbidden.reader, /^[0-9a-f-]{36}$/);
  assert.match(forbidden.visit(), /^[0-9a-f-]{36}$/);
  const drawer = new Drawer();
  drawer.setItem("embellie.reader", "{");
  page(drawer).start(undefined);
});
