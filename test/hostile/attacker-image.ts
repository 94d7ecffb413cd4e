/** An image with which to attack: the tiny one, with Perl, the programs of attacks/ and the pages of pages/. */
import { execFile } from 'node:child_process';
import { chmod, copyFile, mkdir, readdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { loadTinyImage, type TinyImage } from '../support/tiny-image.ts';

export const ATTACKS = join(import.meta.dirname, 'attacks');
const PAGES = join(import.meta.dirname, 'pages');
const LIBRARIES: readonly string[] = ['system-calls.pl', 'database.pl', 'database-login.pl'];
const PERL = '/usr/bin/perl';

/**
 * Each program is asked for at `/cgi-bin/<its name without .pl>`, so that it is run by the first process. `clients`:
 * programs of this host that attacks run, by the names that they have inside.
 */
export async function loadAttackerImage(
  socketPath: string,
  clients: Readonly<Record<string, string>> = {},
): Promise<TinyImage> {
  return loadTinyImage(socketPath, undefined, undefined, undefined, async (root) => {
    await addProgram(root, PERL);
    for (const [name, path] of Object.entries(clients)) await addProgram(root, path, `/bin/${name}`);
    await mkdir(join(root, 'attacks'));
    for (const folder of [ATTACKS, PAGES])
      for (const file of await readdir(folder)) {
        const place = LIBRARIES.includes(file) ? `attacks/${file}` : `www/cgi-bin/${file.replace(/\.pl$/, '')}`;
        await copyFile(join(folder, file), join(root, place));
        await chmod(join(root, place), 0o755);
      }
    // For attacks of other users than root.
    await chmod(join(root, 'www'), 0o777);
    for (const [name, program] of Object.entries(programsOf32Bits())) {
      await writeFile(join(root, 'attacks', name), program, { mode: 0o755 });
    }
  });
}

/** Debian's, with the libraries that it is linked to. */
async function addProgram(root: string, program: string, inside = program): Promise<void> {
  const { stdout } = await promisify(execFile)('ldd', [program]);
  const libraries = [...stdout.matchAll(/(\/\S+) \(0x/g)].map(([, path = '']) => path);
  for (const [from, to] of [[program, inside] as const, ...libraries.map((path) => [path, path] as const)]) {
    await mkdir(dirname(join(root, to)), { recursive: true });
    await copyFile(from, join(root, to));
  }
}

const AF_VSOCK = 40;
const SOCK_STREAM = 1;
const BASE = 0x400000;
const HEADERS = 64 + 56;

/** `int 0x80` of a program of 64 bits is a system call of 32 bits. Empty where there are no such calls. */
function programsOf32Bits(): Record<string, Buffer> {
  // <asm/unistd_32.h>, <linux/net.h>
  const [socket, socketcall, SYS_SOCKET] = [359, 102, 1] as const;
  if (process.arch !== 'x64') return {};
  return {
    'socket-of-32-bits': program(socket, AF_VSOCK, SOCK_STREAM),
    'socketcall-of-32-bits': program(socketcall, SYS_SOCKET, undefined),
  };
}

/** Ends with 0, or with the error. `second`: undefined for the address of what socketcall is given. */
function program(number: number, first: number, second: number | undefined): Buffer {
  const end = Buffer.from('31ff85c07904f7d889c7b83c0000000f05', 'hex');
  const word = (opcode: number, value: number): Buffer => {
    const bytes = Buffer.from([opcode, 0, 0, 0, 0]);
    bytes.writeUInt32LE(value, 1);
    return bytes;
  };
  const [EAX, EBX, ECX, EDX] = [0xb8, 0xbb, 0xb9, 0xba] as const;
  const codeBytes = 4 * 5 + 2 + end.length;
  const data = BASE + HEADERS + codeBytes;
  const code = Buffer.concat([
    word(EAX, number),
    word(EBX, first),
    word(ECX, second ?? data),
    word(EDX, 0),
    Buffer.from([0xcd, 0x80]),
    end,
  ]);
  const given = Buffer.alloc(12);
  given.writeUInt32LE(AF_VSOCK, 0);
  given.writeUInt32LE(SOCK_STREAM, 4);
  const body = Buffer.concat([code, given]);
  return Buffer.concat([elfHeaders(HEADERS + body.length), body]);
}

/** Of a program of 64 bits for x86 that is one piece and begins right after them. */
function elfHeaders(size: number): Buffer {
  const headers = Buffer.alloc(HEADERS);
  headers.write('\x7fELF\x02\x01\x01', 'latin1');
  headers.writeUInt16LE(2, 16);
  headers.writeUInt16LE(62, 18);
  headers.writeUInt32LE(1, 20);
  headers.writeBigUInt64LE(BigInt(BASE + HEADERS), 24);
  headers.writeBigUInt64LE(64n, 32);
  headers.writeUInt16LE(64, 52);
  headers.writeUInt16LE(56, 54);
  headers.writeUInt16LE(1, 56);
  headers.writeUInt32LE(1, 64);
  headers.writeUInt32LE(5, 68);
  headers.writeBigUInt64LE(BigInt(BASE), 80);
  headers.writeBigUInt64LE(BigInt(BASE), 88);
  headers.writeBigUInt64LE(BigInt(size), 96);
  headers.writeBigUInt64LE(BigInt(size), 104);
  headers.writeBigUInt64LE(0x1000n, 112);
  return headers;
}
