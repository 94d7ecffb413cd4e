import { request } from 'node:http';

const ANSWER_WITHIN_MS = 1_000;

/** True when a container engine answers on the socket. */
export async function engineAnswers(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const ping = request({ socketPath, path: '/_ping', agent: false, timeout: ANSWER_WITHIN_MS }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    ping.once('error', () => resolve(false)).once('timeout', () => ping.destroy());
    ping.end();
  });
}
