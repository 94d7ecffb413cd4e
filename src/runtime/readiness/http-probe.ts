import type { Probe } from '../../pool/interfaces/probe.ts';
import { download } from './download.ts';
import { framing } from './framed-look.ts';
import { ask, look, sightInWords, untilOk } from './http-answers.ts';
import { listens } from './listens.ts';
import { reacts } from './reacts.ts';
import { visit } from './visit.ts';

/** Asks an instance itself: whether it takes connections, and what it answers. */
export class HttpProbe implements Probe {
  readonly listens = listens;
  readonly reacts = reacts;
  readonly untilOk = untilOk;
  readonly look = look;
  readonly describe = sightInWords;
  readonly ask = ask;
  readonly download = download;
  readonly framing = framing;
  readonly visit = visit;
}
