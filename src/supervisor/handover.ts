/**
 * Passes connections on from workers that leave to those that stay. A connection is held here, unread, until its new owner has confirmed it:
 * should that one die first, the next one gets it.
 */

import type { SupervisorMessage } from "../control/messages.ts";
import { type Adopter, chooseAdopter } from "../core/handover.ts";

/** A raw handle of Node's: unlike a `net.Socket` it reads nothing until it is told to. */
export interface ConnectionHandle {
  close(): void;
}

/** What a hand-over needs of a worker. */
export interface Member {
  readonly id: number;
  /** Whether it can be told anything. */
  readonly connected: boolean;
  tell(message: SupervisorMessage, connection?: ConnectionHandle): void;
}

/** A ready worker, with what the choice depends on. */
export interface Candidate extends Omit<Adopter, "id"> {
  readonly member: Member;
}

interface Passage {
  readonly giver: Member;
  /** The giver's number for the connection. */
  readonly givenAs: number;
  readonly connection: ConnectionHandle;
  readonly declinedBy: Set<Member>;
}

export class Handover {
  readonly #candidates: () => readonly Candidate[];
  /** By our own number for the connection, which the adopter answers with. */
  readonly #underWay = new Map<number, Passage & { readonly adopter: Member }>();
  /** Without an adopter, and without the giver that could take them back. */
  #waiting: Passage[] = [];
  #nextId = 1;

  /** @param candidates who could adopt a connection now */
  constructor(candidates: () => readonly Candidate[]) {
    this.#candidates = candidates;
  }

  /** How many connections are in nobody's hands but ours, or on their way. */
  get size(): number {
    return this.#underWay.size + this.#waiting.length;
  }

  /** A worker gives a connection away. */
  given(giver: Member, givenAs: number, connection: ConnectionHandle): void {
    this.#pass({ giver, givenAs, connection, declinedBy: new Set([giver]) });
  }

  /** A worker says whether it has adopted the connection that it was sent. */
  answered(adopter: Member, id: number, adopted: boolean): void {
    const passage = this.#underWay.get(id);
    if (passage?.adopter !== adopter) return;
    this.#underWay.delete(id);
    if (!adopted) {
      passage.declinedBy.add(adopter);
      this.#pass(passage);
      return;
    }
    passage.connection.close();
    passage.giver.tell({ gwpm: "adopted", id: passage.givenAs });
  }

  /** A worker's channel has closed, and all that it had said has been heard: what it has not confirmed by then, it has not read. */
  gone(member: Member): void {
    for (const [id, { adopter }] of [...this.#underWay]) {
      if (adopter === member) this.answered(member, id, false);
    }
  }

  /** There may be somebody now for those that wait. */
  retry(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const passage of waiting) this.#pass(passage);
  }

  /** Nobody will come any more. */
  close(): void {
    for (const { connection } of [...this.#underWay.values(), ...this.#waiting]) connection.close();
    this.#underWay.clear();
    this.#waiting = [];
  }

  #pass(passage: Passage): void {
    const { giver, givenAs, connection } = passage;
    const adopter = this.#choose(passage.declinedBy);
    if (adopter !== undefined) {
      const id = this.#nextId++;
      this.#underWay.set(id, { ...passage, adopter });
      adopter.tell({ gwpm: "connection", id }, connection);
    } else if (giver.connected) {
      connection.close();
      giver.tell({ gwpm: "declined", id: givenAs });
    } else {
      this.#waiting.push(passage);
    }
  }

  #choose(declinedBy: ReadonlySet<Member>): Member | undefined {
    const candidates = this.#candidates().filter(({ member }) => member.connected && !declinedBy.has(member));
    const adopters = candidates.map(({ member, current, connections }) => ({
      id: member.id,
      current,
      connections: connections + this.#onTheWayTo(member),
    }));
    const chosen = chooseAdopter(adopters);
    return candidates.find(({ member }) => member.id === chosen)?.member;
  }

  #onTheWayTo(member: Member): number {
    return [...this.#underWay.values()].filter(({ adopter }) => adopter === member).length;
  }
}
