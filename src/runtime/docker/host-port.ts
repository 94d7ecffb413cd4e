import { createServer } from 'node:net';

/** The system's own words for why the port cannot be listened on at 127.0.0.1; undefined when it can. */
export async function whyPortTaken(port: number): Promise<string | undefined> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', (error) => resolve(error.message));
    server.listen({ host: '127.0.0.1', port, exclusive: true }, () => server.close(() => resolve(undefined)));
  });
}
