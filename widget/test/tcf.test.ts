import assert from "node:assert/strict";
import { test } from "node:test";
import type { Consent } from "../src/events.ts";
import { listen, stateOf, type Tcf } from "../src/tcf.ts";

const loaded = (...purposes: number[]) => ({
  gdprApplies: true,
  eventStatus: "tcloaded",
  purpose: { consents: Object.fromEntries(purposes.map((one) => [one, true])) },
});

test("purposes 1, 8 and 9 are measurement, with 5 and 6 profiling; anything less is nothing", () => {
  const states: [number[], Consent][] = [
    [[1, 5, 6, 8, 9], "profiling"],
    [[1, 2, 3, 4, 5, 6, 7, 8, 9, 10], "profiling"],
    [[1, 8, 9], "measurement"],
    [[1, 5, 8, 9], "measurement"],
    [[1, 8], "none"],
    [[5, 6, 8, 9], "none"],
    [[1, 5, 6], "none"],
    [[], "none"],
  ];
  for (const [purposes, state] of states) assert.equal(stateOf(loaded(...purposes), "none"), state, String(purposes));
});

test("a legitimate interest is no consent", () => {
  const told = { ...loaded(1), purpose: { consents: { 1: true }, legitimateInterests: { 8: true, 9: true } } };
  assert.equal(stateOf(told, "none"), "none");
});

test("a question that is still open is no answer", () => {
  assert.equal(stateOf({ ...loaded(1, 8, 9), eventStatus: "cmpuishown" }, "none"), null);
  assert.equal(stateOf({}, "none"), null);
});

test("where the GDPR does not apply, what the page says holds", () => {
  assert.equal(stateOf({ gdprApplies: false }, "measurement"), "measurement");
  assert.equal(stateOf({ gdprApplies: false }, "none"), "none");
});

test("a tool that loads late is found, and each of its answers told; one that fails says nothing", () => {
  const planned: (() => void)[] = [];
  const said: Consent[] = [];
  let tool: Tcf | undefined;
  let tell: (told: object, fine: boolean) => void = () => assert.fail("nobody listens");
  listen(() => tool, "none", (state) => said.push(state), (action) => planned.push(action), 3);
  planned.shift()!();
  tool = (command, version, answer) => {
    assert.deepEqual([command, version], ["addEventListener", 2]);
    tell = answer;
  };
  planned.shift()!();
  tell(loaded(1, 8, 9), true);
  tell(loaded(1, 5, 6, 8, 9), false);
  tell({ ...loaded(), eventStatus: "useractioncomplete" }, true);
  assert.deepEqual(said, ["measurement", "none"]);
  assert.equal(planned.length, 0);
});

test("a tool that never comes is waited for only so long", () => {
  const planned: (() => void)[] = [];
  listen(() => undefined, "none", () => assert.fail("no answer"), (action) => planned.push(action), 3);
  let looks = 0;
  for (let action = planned.shift(); action; action = planned.shift()) {
    action();
    looks++;
  }
  assert.equal(looks, 3);
});
