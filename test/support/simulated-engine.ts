import { Client, request } from 'undici';

/** Has a container of a simulated engine end as if its app had crashed. */
export async function crashSimulated(socketPath: string, name: string): Promise<void> {
  const client = new Client('http://engine', { socketPath });
  try {
    const { statusCode, body } = await client.request({
      method: 'POST',
      path: `/containers/${encodeURIComponent(name)}/crash`,
    });
    const answer = await body.text();
    if (statusCode !== 200) throw new Error(`the simulated engine answers ${statusCode}: ${answer}`);
  } finally {
    await client.destroy();
  }
}

/** A simulated app writes a line for each request. */
export async function askFor({ hostPort }: { readonly hostPort: number }, text: string): Promise<void> {
  await (await request(`http://127.0.0.1:${hostPort}/${text}`)).body.dump();
}
