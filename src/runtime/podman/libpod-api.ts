import { Client } from 'undici';

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
export async function libpod(socketPath: string, method: 'GET' | 'POST', path: string, body?: object): Promise<unknown> {
  const client = new Client('http://podman', { socketPath, pipelining: 0 });
  try {
    const answer = await client.request({
      method,
      path: `/v4.0.0/libpod${path}`,
      ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    });
    const json: unknown = await answer.body.json();
    if (answer.statusCode >= 400) throw new LibpodError(`${method} ${path}`, answer.statusCode, json);
    return json;
  } finally {
    await client.destroy();
  }
}
