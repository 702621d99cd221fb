/** The supervisor's part in a hand-over, with workers that do what the test says. */

import { expect, test } from "vitest";
import type { SupervisorMessage } from "../../../src/control/messages.ts";
import { type ConnectionHandle, Handover } from "../../../src/supervisor/handover.ts";

class FakeWorker {
  connected = true;
  current = true;
  connections = 0;
  readonly heard: [SupervisorMessage, ConnectionHandle | undefined][] = [];
  readonly id: number;

  constructor(id: number) {
    this.id = id;
  }

  tell(message: SupervisorMessage, connection?: ConnectionHandle): void {
    this.heard.push([message, connection]);
  }

  /** The last thing that it was told. */
  get last() {
    return this.heard.at(-1)?.[0];
  }

  /** Our number for the connection that it was sent last. */
  get asked(): number {
    return (this.last as { id: number }).id;
  }
}

class FakeConnection implements ConnectionHandle {
  closed = 0;
  close(): void {
    this.closed += 1;
  }
}

function setUp(...workers: FakeWorker[]) {
  const giver = new FakeWorker(100);
  const ready = workers;
  const handover = new Handover(() =>
    ready.map((member) => ({ member, current: member.current, connections: member.connections })),
  );
  return { giver, ready, handover, connection: new FakeConnection() };
}

test("is held until the new owner has confirmed it; then the old one is told", () => {
  const a = new FakeWorker(1);
  const { giver, handover, connection } = setUp(a);
  handover.given(giver, 7, connection);
  expect(a.heard).toEqual([[{ gwpm: "connection", id: 1 }, connection]]);
  expect(connection.closed).toBe(0);
  expect(giver.heard).toEqual([]);
  handover.answered(a, 1, true);
  expect(connection.closed).toBe(1);
  expect(giver.last).toEqual({ gwpm: "adopted", id: 7 });
  expect(handover.size).toBe(0);
});

test("connections on their way count: many at once are spread", () => {
  const workers = [new FakeWorker(1), new FakeWorker(2), new FakeWorker(3)];
  workers[2]!.connections = 2;
  const { giver, handover } = setUp(...workers);
  for (let i = 0; i < 7; i++) handover.given(giver, i, new FakeConnection());
  expect(workers.map(({ heard }) => heard.length)).toEqual([3, 3, 1]);
});

test("goes to the next one when the first dies before it has confirmed", () => {
  const [a, b] = [new FakeWorker(1), new FakeWorker(2)];
  const { giver, handover, connection } = setUp(a, b);
  handover.given(giver, 7, connection);
  const asked = a.asked;
  a.connected = false;
  handover.gone(a);
  expect(b.heard[0]?.[1]).toBe(connection);
  // What the dead one's ghost may still say counts for nothing.
  handover.answered(a, asked, true);
  expect(connection.closed).toBe(0);
  handover.answered(b, b.asked, true);
  expect(giver.last).toEqual({ gwpm: "adopted", id: 7 });
});

test("is not taken from one that has confirmed it, whoever dies afterwards", () => {
  const [a, b] = [new FakeWorker(1), new FakeWorker(2)];
  const { giver, handover, connection } = setUp(a, b);
  handover.given(giver, 7, connection);
  handover.answered(a, a.asked, true);
  handover.gone(a);
  expect(b.heard).toEqual([]);
});

test("is offered to each once, and is the giver's again when nobody takes it", () => {
  const [a, b] = [new FakeWorker(1), new FakeWorker(2)];
  const { giver, handover, connection } = setUp(a, b);
  handover.given(giver, 7, connection);
  handover.answered(a, a.asked, false);
  handover.answered(b, b.asked, false);
  expect([a.heard.length, b.heard.length]).toEqual([1, 1]);
  expect(giver.last).toEqual({ gwpm: "declined", id: 7 });
  expect(connection.closed, "our copy; the giver has its own").toBe(1);
});

test("never goes back to the giver as to a new owner", () => {
  const { giver, ready, handover, connection } = setUp();
  ready.push(giver);
  handover.given(giver, 7, connection);
  expect(giver.last).toEqual({ gwpm: "declined", id: 7 });
});

test("waits where the giver has died and there is nobody yet", () => {
  const { giver, ready, handover, connection } = setUp();
  giver.connected = false;
  handover.given(giver, 7, connection);
  expect([handover.size, connection.closed]).toEqual([1, 0]);
  const late = new FakeWorker(1);
  ready.push(late);
  handover.retry();
  expect(late.heard[0]?.[1]).toBe(connection);
});

test("lets go of everything when the pool ends", () => {
  const a = new FakeWorker(1);
  const { giver, ready, handover, connection } = setUp(a);
  handover.given(giver, 7, connection);
  ready.length = 0;
  giver.connected = false;
  const second = new FakeConnection();
  handover.given(giver, 8, second);
  handover.close();
  expect([connection.closed, second.closed, handover.size]).toEqual([1, 1, 0]);
});
