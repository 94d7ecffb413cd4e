import { TryItNowError } from '../../domain/errors.ts';

const INTERRUPT = '\u0003';
const END_OF_INPUT = '\u0004';

/**
 * What is typed or pasted on the terminal, until `isWhole`, without showing it. Key by key: a terminal that collects
 * lines drops what one has beyond 4,095 characters. Throws invalid_request when it is broken off.
 */
export async function readHidden(question: string, isWhole: (text: string) => boolean): Promise<string> {
  const { stdin, stderr } = process;
  stdin.setRawMode(true).setEncoding('utf8').resume();
  stderr.write(question);
  try {
    let text = '';
    for await (const keys of stdin.iterator({ destroyOnReturn: false })) {
      text += String(keys).replaceAll('\r', '\n');
      if (text.includes(INTERRUPT)) throw new TryItNowError('invalid_request', 'Broken off; nothing was changed.');
      if (isWhole(text) || text.includes(END_OF_INPUT)) break;
    }
    return text;
  } finally {
    stdin.setRawMode(false).pause();
    stderr.write('\n');
  }
}
