import { createWriteStream } from 'node:fs';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { json as jsonOf } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { Client, type Dispatcher } from 'undici';
import { deadlineSignal } from '../../lifecycle/deadline.ts';
import { ENGINE_PATIENCE } from '../engine-patience.ts';

const PREFIX = '/v4.0.0/libpod';

/** As the client library of Docker's API throws them, so that both kinds of answer are understood in one place. */
class LibpodError extends Error {
  readonly statusCode: number;
  readonly json: unknown;

  constructor(what: string, statusCode: number, json: unknown) {
    super(`${what} was answered with ${statusCode}`);
    this.statusCode = statusCode;
    this.json = json;
  }
}

/** What Podman's own API can and the Docker-compatible one cannot. Throws an error with the answer's status code. */
export async function libpod(
  socketPath: string,
  method: 'GET' | 'POST',
  path: string,
  body?: object | string,
  { callMs, lookMs } = ENGINE_PATIENCE,
): Promise<unknown> {
  const sent =
    body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } };
  return ask(socketPath, { method, path, ...sent }, method === 'GET' ? lookMs : callMs, (answer) => answer.body.json());
}

/** Sends a tar; the answer may take `timeoutMs`. Throws an error with the answer's status code. */
export async function libpodUpload(
  socketPath: string,
  path: string,
  archive: Buffer,
  timeoutMs: number,
): Promise<unknown> {
  const request = { method: 'POST' as const, path, body: archive, headers: { 'content-type': 'application/x-tar' } };
  return ask(socketPath, request, timeoutMs, (answer) => answer.body.json());
}

/**
 * Writes what is answered into a file of its owner's alone. By Node's own client: undici takes a minute for 100 MB over
 * a unix socket. Throws an error with the answer's status code.
 */
export async function libpodDownload(socketPath: string, path: string, file: string, timeoutMs: number): Promise<void> {
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    const sent = httpRequest(
      { socketPath, method: 'POST', path: PREFIX + path, agent: false, signal: deadlineSignal(timeoutMs) },
      resolve,
    );
    sent.once('error', reject).end();
  });
  const status = answer.statusCode ?? 0;
  if (status >= 400) throw new LibpodError(`POST ${path}`, status, await jsonOf(answer));
  await pipeline(answer, createWriteStream(file, { flags: 'wx', mode: 0o600 }));
}

/** Whether Podman has it: a container, an image, a network. */
export async function libpodHas(socketPath: string, path: string, { lookMs } = ENGINE_PATIENCE): Promise<boolean> {
  try {
    await ask(socketPath, { method: 'GET', path: `${path}/exists` }, lookMs, (answer) => answer.body.dump());
    return true;
  } catch (error) {
    if (error instanceof LibpodError && error.statusCode === 404) return false;
    throw error;
  }
}

async function ask<T>(
  socketPath: string,
  request: Dispatcher.RequestOptions,
  timeoutMs: number,
  read: (answer: Dispatcher.ResponseData) => Promise<T>,
): Promise<T> {
  // One limit for all of it, in place of the library's own of five minutes for each part.
  const client = new Client('http://podman', { socketPath, pipelining: 0, headersTimeout: 0, bodyTimeout: 0 });
  try {
    const answer = await client.request({
      ...request,
      path: PREFIX + request.path,
      signal: deadlineSignal(timeoutMs),
    });
    if (answer.statusCode >= 400)
      throw new LibpodError(`${request.method} ${request.path}`, answer.statusCode, await answer.body.json());
    return await read(answer);
  } finally {
    await client.destroy();
  }
}
