import assert from "node:assert/strict";
import { test } from "node:test";
import { line, newId } from "../src/events.ts";
import { batches, type Keeper, type Net, pause, Sender, worthAnother } from "../src/sending.ts";

const BASE = Date.now() - 60_000;
const click = (number: number | string, article = "a", age = 0): string =>
  line({ id: newId(BASE + Number(number) - age, new Uint8Array(10)), kind: "click", article, number: String(number) });

class Box implements Keeper {
  lines: string[] = [];
  lost = 0;
  left = false;
  before: [string[], number][] = [];
  keep(lines: string[], lost: number, left: boolean): void {
    [this.lines, this.lost, this.left] = [lines, lost, left];
  }
  take(adopt: (lines: string[], lost: number) => void): void {
    for (const [lines, lost] of this.before.splice(0)) adopt(lines, lost);
  }
  get numbers(): string[] {
    return this.lines.map((one) => (JSON.parse(one) as { number: string }).number);
  }
}

const sender = (wire: Net, box: Keeper = new Box(), address = "u"): Sender => new Sender(address, wire, box);

interface Sent {
  url: string;
  options: RequestInit;
  ids: string[];
  lost: number | undefined;
}

function net(...statuses: number[]): Net & { sent: Sent[]; run(): Promise<void>; waits: number[] } {
  const planned: (() => void)[] = [];
  const sent: Sent[] = [];
  const waits: number[] = [];
  return {
    sent,
    waits,
    fetch: async (url, options) => {
      const { events, lost } = JSON.parse(options.body as string) as { events: { number: string }[]; lost?: number };
      sent.push({ url, options, ids: events.map((event) => event.number), lost });
      const status = statuses.shift() ?? 202;
      if (status === 0) throw new TypeError("Failed to fetch");
      return { status, headers: { get: () => (status === 429 ? "3" : null) } };
    },
    later: (action, milliseconds) => {
      waits.push(milliseconds);
      planned.push(action);
    },
    chance: () => 0,
    online: () => true,
    clock: () => 0,
    run: async () => {
      for (const action of planned.splice(0)) action();
      await new Promise((go) => setTimeout(go, 0));
    },
  };
}

test("neighbours leave together, as text, kept alive, without cookies", async () => {
  const wire = net();
  const one = sender(wire, new Box(), "https://h/v1/events?site=g&key=pk_x");
  one.add(click("1"));
  one.add(click("2"));
  await wire.run();
  assert.deepEqual(wire.sent.map((one) => one.ids), [["1", "2"]]);
  const { method, keepalive, credentials, headers, body } = wire.sent[0]!.options;
  assert.deepEqual([method, keepalive, credentials, headers, typeof body], ["POST", true, "omit", undefined, "string"]);
});

test("a batch stays under 30 kB, in any script, and order is kept", () => {
  const many = Array.from({ length: 400 }, (_, index) => click(index, "é€😀".repeat(10)));
  const found = batches(many);
  assert.ok(found.length > 1);
  for (const batch of found) assert.ok(Buffer.byteLength(batch.join()) <= 30_000);
  assert.deepEqual(found.flat(), many);
});

test("each try says when it left, so that the server can tell how old its events are", async () => {
  const wire = net(503, 202);
  const before = Date.now();
  sender(wire).add(click("1"));
  for (let turn = 0; turn < 3; turn++) await wire.run();
  const left = wire.sent.map((one) => Date.parse((JSON.parse(one.options.body as string) as { sent_at: string }).sent_at));
  assert.equal(left.length, 2);
  assert.ok(before <= left[0]! && left[0]! <= left[1]! && left[1]! <= Date.now());
});

test("an event too large, or a week old, is left out, counted and told", async () => {
  const wire = net();
  const one = sender(wire);
  one.add(click(1));
  one.add(click(2, "x".repeat(50_000)));
  one.add(click(3, "a", 8 * 24 * 3600 * 1000));
  one.add("no event at all");
  one.add(click(5));
  await wire.run();
  assert.deepEqual(wire.sent.map(({ ids, lost }) => [ids, lost]), [[["1", "5"], 3]]);
  one.add(click(6));
  await wire.run();
  assert.equal(wire.sent[1]!.lost, undefined);
});

test("network, 429 and 5xx are tried again with the same ids; 202 ends it", async () => {
  const wire = net(0, 500, 429, 202);
  const box = new Box();
  sender(wire, box).add(click("1"));
  for (let turn = 0; turn < 8; turn++) await wire.run();
  assert.deepEqual(wire.sent.map((one) => one.ids), [["1"], ["1"], ["1"], ["1"]]);
  assert.equal(wire.waits[3], 4000); // 2³ s halved by the jitter of 0; above the 3 s the server asked for
  assert.deepEqual(box.lines, []);
});

test("a refusal is not repeated", async () => {
  for (const status of [400, 401, 403, 413, 422]) {
    const wire = net(status, 202);
    const box = new Box();
    sender(wire, box).add(click("1"));
    for (let turn = 0; turn < 3; turn++) await wire.run();
    assert.deepEqual([wire.sent.length, box.lines.length], [1, 0], String(status));
  }
});

test("what the server does not take is kept, and told when the network is back", async () => {
  const wire = net(0, 202);
  const box = new Box();
  const one = sender(wire, box);
  one.add(click("1"));
  await wire.run();
  assert.deepEqual(box.numbers, ["1"]);
  one.retry();
  await wire.run();
  assert.deepEqual([wire.sent.map((each) => each.ids), box.numbers], [[["1"], ["1"]], []]);
});

test("a server that refuses again and again is asked ever less often", async () => {
  const wire = net(...Array<number>(40).fill(503));
  sender(wire).add(click("1"));
  for (let turn = 0; turn < 20; turn++) await wire.run();
  assert.equal(wire.waits.at(-1), 150_000);
});

test("what earlier pages left is sent before what is new, in one post", async () => {
  const wire = net();
  const box = new Box();
  box.before = [[[click(1), click(2)], 4]];
  const one = sender(wire, box);
  one.add(click(3));
  one.resume();
  await wire.run();
  assert.deepEqual(wire.sent.map(({ ids, lost }) => [ids, lost]), [[["1", "2", "3"], 4]]);
  assert.deepEqual([box.lines, box.lost], [[], 0]);
});

test("a page that ends leaves nothing behind for a server that answers, and all of it for one that may not", async () => {
  for (const [statuses, online, left] of [
    [[202], true, []],
    [[202], false, ["2"]],
    [[503], true, ["1", "2"]],
  ] as const) {
    const wire = { ...net(...statuses), online: () => online };
    const box = new Box();
    const one = sender(wire, box);
    one.add(click(1));
    await wire.run();
    one.add(click(2));
    one.leave();
    assert.deepEqual([box.numbers, box.left], [left, true]);
  }
});

test("a page that ends before the server was heard of leaves all behind", () => {
  const box = new Box();
  const one = sender(net(), box);
  one.add(click(1));
  one.leave();
  assert.deepEqual(box.numbers, ["1"]);
});

test("the queue is bounded, the oldest go, and how many is told", async () => {
  const wire = net();
  const one = sender(wire);
  for (let index = 0; index < 1000; index++) one.add(click(index));
  one.flush();
  await wire.run();
  const ids = wire.sent.flatMap((each) => each.ids);
  assert.deepEqual([ids.length, ids[0], ids.at(-1)], [300, "700", "999"]);
  assert.deepEqual(wire.sent.map((each) => each.lost).filter(Boolean), [700]);
});

test("no more is in flight at once than a browser lets outlive its page", async () => {
  const wire = net();
  const one = sender(wire);
  for (let index = 0; index < 300; index++) one.add(click(index, "x".repeat(1000)));
  one.flush();
  const weight = wire.sent.reduce((sum, each) => sum + (each.options.body as string).length, 0);
  assert.ok(weight < 64_000);
  for (let turn = 0; turn < 20; turn++) await wire.run();
  assert.equal(wire.sent.flatMap((each) => each.ids).length, 300);
});

test("pauses grow, spread, respect the server and end", () => {
  assert.deepEqual([pause(1, 0, null), pause(1, 1, null), pause(3, 0, null)], [1000, 2000, 4000]);
  assert.equal(pause(20, 1, null), 300_000);
  assert.deepEqual([pause(1, 0, "30"), pause(1, 0, "99999999"), pause(1, 0, "Mon, 04 May")], [30_000, 600_000, 1000]);
});

test("what is worth another try", () => {
  assert.deepEqual([0, 200, 202, 304, 400, 404, 429, 500, 503].filter(worthAnother), [0, 429, 500, 503]);
});
