import { createHmac, timingSafeEqual } from 'node:crypto';

const LABEL_LENGTH = 20;
/** 128 bits. */
const PROOF_LENGTH = 22;
const TOKEN = /^[a-z2-7]{20}[\w-]{22}$/;

/** Whose visit it is, and of which instance. */
export interface VisitKey {
  readonly id: string;
  readonly label: string;
  readonly owner: string;
}

/**
 * What a visitor's browser governs its own instance with. It names the instance by its label and proves, by a code that
 * takes the id to make, that it was made for this owner; so nothing has to be kept for it, every server reads it, and
 * it is worth nothing once the label leads nowhere any more.
 */
export function visitToken({ id, label, owner }: VisitKey): string {
  return `${label}${createHmac('sha256', id).update(`visit ${owner}`).digest('base64url').slice(0, PROOF_LENGTH)}`;
}

/** The label in a token; undefined for what is none. */
export function labelOfVisit(token: string): string | undefined {
  return TOKEN.test(token) ? token.slice(0, LABEL_LENGTH) : undefined;
}

export function isVisitOf(token: string, key: VisitKey): boolean {
  const wanted = Buffer.from(visitToken(key));
  const given = Buffer.from(token);
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}

/**
 * What in an address is for its owner alone: the proof in a visit's token, who a visitor is, a place in the line, and
 * what opens a countdown.
 */
const SECRETS = /(\/visit\/[a-z2-7]{8})[^/?#]*|([?&](?:token|visitor)=)[^&#]*|(\/waiting\/[^/?#]*\.)[\w-]{22}/g;

/** An address as it may stand in a log: what tells visits apart stays, what governs one does not. */
export function withoutSecrets(url: string): string {
  return url.replace(SECRETS, '$1$2$3…');
}
