import assert from "node:assert/strict";
import { test } from "node:test";
import { Identity } from "../src/identity.ts";
import { type Drawer, drawer as empty, size } from "./drawer.ts";

function page(drawer: Drawer & globalThis.Storage, clock = { now: 0 }, given = ""): Identity {
  let count = size(drawer) * 100;
  return new Identity(() => drawer, () => clock.now, () => `id-${count++}`, given);
}

test("before consent nothing is stored and nobody has an id", () => {
  const drawer = empty();
  const one = page(drawer);
  one.start("none");
  one.chose("a");
  assert.deepEqual([one.reader, one.visit(), one.lastVisit(), one.wasChosen("a")], ["", "", "", false]);
  assert.equal(size(drawer), 0);
  assert.equal(drawer.reads, 0);
});

test("a page that says nothing, before any answer, stores nothing either", () => {
  const drawer = empty();
  assert.equal(page(drawer).start(undefined), "");
  assert.equal(size(drawer), 0);
});

test("after consent the id lasts, and the next page need not be told", () => {
  const drawer = empty();
  const first = page(drawer);
  const told = first.change("profiling");
  const next = page(drawer);
  assert.equal(next.start(undefined), "");
  assert.equal(told, first.reader);
  assert.deepEqual([next.reader, next.consent], [first.reader, "profiling"]);
});

test("a consent the page declares is told once", () => {
  const drawer = empty();
  const first = page(drawer);
  assert.equal(first.start("measurement"), first.reader);
  assert.equal(page(drawer).start("measurement"), "");
});

test("withdrawal deletes all and names the id that was", () => {
  const drawer = empty();
  const one = page(drawer);
  one.change("profiling");
  one.visit();
  one.chose("a");
  const was = one.reader;
  assert.equal(one.change("none"), was);
  assert.deepEqual([one.reader, one.visit(), size(drawer)], ["", "", 0]);
});

test("a refusal deletes an id given on an earlier page", () => {
  const drawer = empty();
  const was = page(drawer).change("profiling");
  const next = page(drawer);
  next.start("none");
  assert.equal(next.change("none"), was);
  assert.equal(size(drawer), 0);
});

test("a visit ends after 30 minutes without a sign of life", () => {
  const drawer = empty();
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
  const drawer = empty();
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
  const drawer = empty();
  drawer.setItem("embellie.reader", "{");
  page(drawer).start(undefined);
});

test("a withdrawal in another tab holds here too", () => {
  const drawer = empty();
  const [one, other] = [page(drawer), page(drawer)];
  one.change("profiling");
  other.start(undefined);
  one.change("none");
  other.sync();
  assert.deepEqual([other.consent, other.reader, other.visit()], ["none", "", ""]);
  assert.equal(size(drawer), 0);
});

test("what another tab was allowed holds here too, once this one knows its reader", () => {
  const drawer = empty();
  const [one, other, third] = [page(drawer), page(drawer), page(drawer)];
  one.change("profiling");
  other.start(undefined);
  one.change("measurement");
  other.sync();
  third.sync();
  assert.deepEqual([other.consent, third.consent], ["measurement", "none"]);
});

test("a page whose storage keeps nothing is not taken for a withdrawal", () => {
  const forbidden = new Identity(() => {
    throw new Error("SecurityError");
  });
  forbidden.change("measurement");
  forbidden.sync();
  assert.equal(forbidden.consent, "measurement");
});

test("the newspaper's own id is used after consent, and not stored", () => {
  const drawer = empty();
  const one = page(drawer, { now: 0 }, "account-7");
  assert.equal(one.start(undefined), "");
  assert.equal(one.reader, "");
  one.change("measurement");
  assert.equal(one.reader, "account-7");
  assert.doesNotMatch(JSON.stringify(drawer), /account-7/);
  const signedOut = page(drawer);
  signedOut.start(undefined);
  assert.notEqual(signedOut.reader, "account-7");
  assert.notEqual(signedOut.reader, "");
});
