import type { Redis as Valkey } from 'iovalkey';
import { serverInfo } from './replication.ts';

export interface ServerFacts {
  /** The run id, new with each start of a server. */
  readonly run: string;
  /** Whether it takes changes only while it has replicas (`min-replicas-to-write`). */
  readonly wantsReplicas: boolean;
}

/** How old may be what is known of a setting that operators change while Valkey runs. */
const AGE_MS = 10_000;

interface Asked {
  readonly stream: Valkey['stream'];
  readonly atMs: number;
  readonly told: Promise<ServerFacts>;
  facts: ServerFacts | undefined;
}

/** Which server a connection leads to, and what that wants: asked once for each connection, and again after a while. */
export class ConnectedServer {
  readonly #client: Valkey;
  #asked: Asked | undefined;

  constructor(client: Valkey) {
    this.#client = client;
  }

  /** What it has said over the connection there is now; undefined before it has, and once that is old. */
  get known(): ServerFacts | undefined {
    return this.#current?.facts;
  }

  /** Throws store_unavailable. */
  ask(): Promise<ServerFacts> {
    if (this.#current !== undefined) return this.#current.told;
    const asked: Asked = {
      stream: this.#client.stream,
      atMs: performance.now(),
      told: this.#ask(),
      facts: undefined,
    };
    this.#asked = asked;
    asked.told.then(
      (facts) => {
        asked.facts = facts;
      },
      () => {
        if (this.#asked === asked) this.#asked = undefined;
      },
    );
    return asked.told;
  }

  get #current(): Asked | undefined {
    const asked = this.#asked;
    if (asked === undefined || asked.stream !== this.#client.stream) return undefined;
    return performance.now() - asked.atMs < AGE_MS ? asked : undefined;
  }

  async #ask(): Promise<ServerFacts> {
    const [server, replication] = await Promise.all([
      serverInfo(this.#client, 'server'),
      serverInfo(this.#client, 'replication'),
    ]);
    // The line is there only where `min-replicas-to-write` is set, which itself is for administrators to read.
    return { run: server.get('run_id') ?? '', wantsReplicas: replication.has('min_slaves_good_slaves') };
  }
}
