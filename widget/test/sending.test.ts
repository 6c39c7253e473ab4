import assert from "node:assert/strict";
import { test } from "node:test";
import type { Event } from "../src/events.ts";
import { batches, type Net, pause, Sender, worthAnother } from "../src/sending.ts";

const click = (id: string, article = "a"): Event => ({
  id,
  site: "g",
  at: "2026-05-04T08:00:00.000Z",
  consent: "none",
  kind: "click",
  slate_id: "s",
  article,
  position: 1,
  reader: "",
  visit: "",
});

interface Sent {
  url: string;
  options: RequestInit;
  ids: string[];
}

function net(...statuses: number[]): Net & { sent: Sent[]; run(): Promise<void>; waits: number[] } {
  const planned: (() => void)[] = [];
  const sent: Sent[] = [];
  const waits: number[] = [];
  return {
    sent,
    waits,
    fetch: async (url, options) => {
      const { events } = JSON.parse(options.body as string) as { events: Event[] };
      sent.push({ url, options, ids: events.map((event) => event.id) });
      const status = statuses.shift() ?? 202;
      if (status === 0) throw new TypeError("Failed to fetch");
      return { status, headers: { get: () => (status === 429 ? "3" : null) } };
    },
    later: (action, milliseconds) => {
      waits.push(milliseconds);
      planned.push(action);
    },
    random: () => 0,
    run: async () => {
      for (const action of planned.splice(0)) action();
      await new Promise((go) => setTimeout(go, 0));
    },
  };
}

test("neighbours leave together, as text, kept alive, without cookies", async () => {
  const wire = net();
  const sender = new Sender("https://h/v1/events?site=g&key=pk_x", wire);
  sender.add(click("1"));
  sender.add(click("2"));
  await wire.run();
  assert.deepEqual(wire.sent.map((one) => one.ids), [["1", "2"]]);
  const { method, keepalive, credentials, headers, body } = wire.sent[0]!.options;
  assert.deepEqual([method, keepalive, credentials, headers, typeof body], ["POST", true, "omit", undefined, "string"]);
});

test("a batch stays under 40 kB, in any script, and order is kept", () => {
  const many = Array.from({ length: 400 }, (_, index) => click(String(index), "é€😀".repeat(10)));
  const found = batches(many);
  assert.ok(found.length > 1);
  const sent_at = new Date().toISOString();
  for (const batch of found) assert.ok(Buffer.byteLength(JSON.stringify({ events: batch, sent_at })) <= 40_000);
  assert.deepEqual(found.flat(), many);
});

test("each try says when it left, so that the server can tell how old its events are", async () => {
  const wire = net(503, 202);
  const before = Date.now();
  new Sender("u", wire).add(click("1"));
  for (let turn = 0; turn < 3; turn++) await wire.run();
  const left = wire.sent.map((one) => Date.parse((JSON.parse(one.options.body as string) as { sent_at: string }).sent_at));
  assert.equal(left.length, 2);
  assert.ok(before <= left[0]! && left[0]! <= left[1]! && left[1]! <= Date.now());
});

test("an event too large for any batch is dropped alone", () => {
  const found = batches([click("1"), click("2", "x".repeat(50_000)), click("3")]);
  assert.deepEqual(found.map((batch) => batch.map((event) => event.id)), [["1", "3"]]);
});

test("network, 429 and 5xx are tried again with the same ids; 202 ends it", async () => {
  const wire = net(0, 500, 429, 202);
  const sender = new Sender("u", wire);
  sender.add(click("1"));
  for (let turn = 0; turn < 8; turn++) await wire.run();
  assert.deepEqual(wire.sent.map((one) => one.ids), [["1"], ["1"], ["1"], ["1"]]);
  assert.equal(wire.waits[3], 4000); // 2³ s halved by the jitter of 0; above the 3 s the server asked for
});

test("a refusal is not repeated", async () => {
  for (const status of [400, 401, 403, 413, 422]) {
    const wire = net(status, 202);
    const sender = new Sender("u", wire);
    sender.add(click("1"));
    for (let turn = 0; turn < 3; turn++) await wire.run();
    assert.equal(wire.sent.length, 1, String(status));
  }
});

test("it gives up after five tries", async () => {
  const wire = net(...Array<number>(20).fill(503));
  new Sender("u", wire).add(click("1"));
  for (let turn = 0; turn < 20; turn++) await wire.run();
  assert.equal(wire.sent.length, 5);
});

test("the queue is bounded, the oldest go", async () => {
  const wire = net();
  const sender = new Sender("u", wire);
  for (let index = 0; index < 1000; index++) sender.add(click(String(index)));
  sender.flush();
  await wire.run();
  const ids = wire.sent.flatMap((one) => one.ids);
  assert.deepEqual([ids.length, ids[0], ids.at(-1)], [300, "700", "999"]);
});

test("pauses grow, spread, respect the server and end", () => {
  assert.deepEqual([pause(1, 0, null), pause(1, 1, null), pause(3, 0, null)], [1000, 2000, 4000]);
  assert.equal(pause(20, 1, null), 60_000);
  assert.deepEqual([pause(1, 0, "30"), pause(1, 0, "99999999"), pause(1, 0, "Mon, 04 May")], [30_000, 600_000, 1000]);
});

test("what is worth another try", () => {
  assert.deepEqual([0, 200, 202, 304, 400, 404, 429, 500, 503].filter(worthAnother), [0, 429, 500, 503]);
});
