import { createHash } from 'node:crypto';
import { gunzipSync, gzipSync } from 'node:zlib';
import Type, { type Static } from 'typebox';
import Value from 'typebox/value';
import { TryItNowError } from '../domain/errors.ts';

const BEGIN = '-----BEGIN TRY IT NOW JOIN TOKEN-----';
const END = '-----END TRY IT NOW JOIN TOKEN-----';
const COLUMNS = 76;
const DIGEST_BYTES = 8;
/** A catalogue of hundreds of templates, and nothing that fills the memory. */
const LARGEST_BYTES = 8 * 2 ** 20;

const Texts = Type.Record(Type.String(), Type.String());
const JoinTokenContent = Type.Object({
  v: Type.Literal(1),
  /** Of the program that made it. */
  program: Type.String(),
  expiresAtMs: Type.Integer(),
  /** Setting → value. */
  settings: Texts,
  /** Setting that may be given by a file → the secret itself. */
  secrets: Texts,
  /** Setting that names a file → what is in it. */
  files: Texts,
});

/** What a further host has to know of the fleet. Whoever has it gets into Valkey and NATS. */
export type JoinToken = Static<typeof JoinTokenContent>;

/** Lines that can be pasted; `decodeToken` reads them back. */
export function encodeToken(token: JoinToken): string {
  const packed = gzipSync(JSON.stringify(token));
  const text = Buffer.concat([digest(packed), packed]).toString('base64');
  return [BEGIN, ...(text.match(new RegExp(`.{1,${COLUMNS}}`, 'g')) ?? []), END, ''].join('\n');
}

/** Whether the last line has come. */
export function isWholeToken(text: string): boolean {
  return text.includes(END);
}

/** Throws invalid_request for one that is cut off, changed, of another version of the program, or too old. */
export function decodeToken(text: string, { program, nowMs }: { program: string; nowMs: number }): JoinToken {
  const content = read(unpack(text), program);
  if (withoutBuild(content.program) !== withoutBuild(program))
    throw refused(
      `The join token is of Try It Now ${content.program}, and this is ${program}; install the version of the first ` +
        'host here, or upgrade the first host and make another token there',
    );
  if (content.expiresAtMs <= nowMs)
    throw refused(
      `The join token was good until ${new Date(content.expiresAtMs).toISOString()}; make another one on the first ` +
        'host',
    );
  return content;
}

/** The version alone: hosts that are upgraded one after the other may join meanwhile. */
export function withoutBuild(program: string): string {
  return program.split('+')[0] ?? '';
}

function unpack(text: string): Buffer {
  const begin = text.indexOf(BEGIN);
  if (begin === -1) throw refused(`That is no join token: it begins with the line ${BEGIN}`);
  const end = text.indexOf(END, begin);
  if (end === -1) throw refused(`The join token is cut off: its last line, ${END}, is missing`);
  const bytes = Buffer.from(text.slice(begin + BEGIN.length, end), 'base64');
  const packed = bytes.subarray(DIGEST_BYTES);
  if (!digest(packed).equals(bytes.subarray(0, DIGEST_BYTES)))
    throw refused('The join token is not as it was made: a part is missing, or was changed on the way; copy it again');
  return packed;
}

function read(packed: Buffer, program: string): JoinToken {
  const value: unknown = JSON.parse(gunzipSync(packed, { maxOutputLength: LARGEST_BYTES }).toString('utf8'));
  if (Value.Check(JoinTokenContent, value)) return value;
  const maker = Value.Check(Type.Object({ program: Type.String() }), value) ? value.program : 'another version';
  throw refused(
    `The join token was made by Try It Now ${maker}, which this one (${program}) does not understand; install the ` +
      'version of the first host here',
  );
}

function digest(bytes: Buffer): Buffer {
  return createHash('sha256').update(bytes).digest().subarray(0, DIGEST_BYTES);
}

function refused(message: string): TryItNowError {
  return new TryItNowError('invalid_request', `${message}. Nothing was changed.`);
}
