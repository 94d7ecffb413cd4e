import { TextDecoder } from 'node:util';
import { Refusal } from './refusal.js';

const maxBytes = 4096;
const tooLarge = () => new Refusal(413, 'body_too_large', `A request body has at most ${maxBytes} bytes.`);

/** The parsed body. Refuses what is no JSON, is too large or does not say what it is. */
export async function readJsonBody(request) {
  const type = (request.headers['content-type'] ?? '').split(';')[0].trim().toLowerCase();
  if (type !== 'application/json') throw new Refusal(415, 'not_json', 'Send the body as application/json.');
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) throw tooLarge();
  const chunks = [];
  let size = 0;
  // Not `for await`: leaving such a loop destroys the socket, and the refusal could not be sent any more.
  await new Promise((resolve, reject) => {
    request.on('data', (chunk) => {
      size += chunk.length;
      if (size <= maxBytes) chunks.push(chunk);
      else {
        request.pause();
        reject(tooLarge());
      }
    });
    request.on('end', resolve);
    request.on('close', () => reject(new Refusal(400, 'bad_body', 'The body ended early.')));
    request.on('error', () => reject(new Refusal(400, 'bad_body', 'The body ended early.')));
  });
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks)));
  } catch {
    throw new Refusal(400, 'bad_json', 'The body is not valid JSON.');
  }
}
