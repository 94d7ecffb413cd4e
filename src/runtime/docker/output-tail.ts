import { Writable } from 'node:stream';

/** Keeps the last bytes written to it. */
export class OutputTail extends Writable {
  readonly #bytes: number;
  #kept = Buffer.alloc(0);

  constructor(bytes: number) {
    super();
    this.#bytes = bytes;
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.#kept = Buffer.concat([this.#kept, chunk]).subarray(-this.#bytes);
    done();
  }

  text(): string {
    return this.#kept.toString();
  }
}

/** The library's types leave it out. */
export interface Demultiplexer {
  demuxStream(from: NodeJS.ReadableStream, stdout: Writable, stderr: Writable): void;
}
