import type { ImageCheck } from '../../domain/image-check.ts';
import type { App } from '../context.ts';
import { HoldImageBody, ImageBody, ImageParams, ImagesBody } from './image-schemas.ts';
import type { ImageOperators, ImageSnapshot } from './operators.ts';
import { operatorProblems } from './problems.ts';
import { EmptyBody, NoQuery } from './schemas.ts';
import { isoTime } from './times.ts';

const tags = ['images'];
const answer = { 200: ImageBody, ...operatorProblems('unknown_image', 'image_not_checked') };

/** What the names of images stand for, and how new ones come to visitors. */
export function imageRoutes(app: App, operators: ImageOperators): void {
  app.get(
    '/admin/v1/images',
    {
      schema: {
        tags,
        operationId: 'listImages',
        summary: 'Every image, with what visitors get and what was found out about new ones',
        querystring: NoQuery,
        response: { 200: ImagesBody, ...operatorProblems() },
      },
    },
    async () => ({ images: (await operators.images()).map(imageBody) }),
  );
  app.post(
    '/admin/v1/images/:image/check',
    {
      config: { audit: 'image.check' },
      schema: {
        tags,
        operationId: 'checkImage',
        summary: 'Look for a new one now',
        description: 'What is found is tried, also if it was refused before, and goes to visitors if it passes.',
        params: ImageParams,
        body: EmptyBody,
        response: { 200: ImageBody, ...operatorProblems('unknown_image', 'image_not_checked', 'image_held') },
      },
    },
    async (request) => imageBody(await operators.checkImage(request.params.image)),
  );
  decisionRoutes(app, operators);
}

function decisionRoutes(app: App, operators: ImageOperators): void {
  app.post(
    '/admin/v1/images/:image/hold',
    {
      config: { audit: 'image.hold' },
      schema: {
        tags,
        operationId: 'holdImage',
        summary: 'Keep it as it is',
        description:
          'Nothing new is fetched or goes to visitors until it is let go; also what is being tried does not.',
        params: ImageParams,
        body: HoldImageBody,
        response: answer,
      },
    },
    async (request) => imageBody(await operators.holdImage(request.params.image, request.body.reason)),
  );
  app.post(
    '/admin/v1/images/:image/release',
    {
      config: { audit: 'image.release' },
      schema: {
        tags,
        operationId: 'releaseImage',
        summary: 'Let new ones come again',
        params: ImageParams,
        body: EmptyBody,
        response: answer,
      },
    },
    async (request) => imageBody(await operators.releaseImage(request.params.image)),
  );
  app.post(
    '/admin/v1/images/:image/rollback',
    {
      config: { audit: 'image.rollback' },
      schema: {
        tags,
        operationId: 'rollBackImage',
        summary: 'Go back to the one before',
        description:
          'What is ready is replaced step by step; the one that visitors get now is refused until somebody asks for ' +
          'it, or the name leads to another.',
        params: ImageParams,
        body: EmptyBody,
        response: {
          200: ImageBody,
          ...operatorProblems('unknown_image', 'image_not_checked', 'no_earlier_image', 'conflicting_change'),
        },
      },
    },
    async (request) => imageBody(await operators.rollBackImage(request.params.image)),
  );
}

function imageBody(image: ImageSnapshot) {
  const { name, templates, state, checks, pin, former, tried, refused, held, checked, nextCheckMs, obstacle } = image;
  const problem = checked?.problem;
  return {
    image: name,
    templates: [...templates],
    state,
    checks: checks.map(checkInWords),
    serves: pin === undefined ? null : { ...found(pin), node: pin.node },
    former: former === undefined ? null : { ...found(former.pin), until: isoTime(former.untilMs) },
    trying:
      tried === undefined
        ? null
        : { id: tried.id ?? null, node: tried.node, step: tried.step, since: isoTime(tried.sinceMs) },
    refused:
      refused === undefined
        ? null
        : {
            ...found(refused),
            why: refused.why,
            reason: refused.reason,
            node: refused.node,
            at: isoTime(refused.atMs),
          },
    held: held === undefined ? null : { since: isoTime(held.atMs), reason: held.reason ?? null },
    checked_at: isoTime(checked?.atMs),
    problem:
      problem === undefined
        ? null
        : { reason: problem.reason, since: isoTime(problem.sinceMs), untried: problem.untried ?? false },
    next_check_at: isoTime(nextCheckMs),
    obstacle: obstacle ?? null,
  };
}

function found({ id, digest }: { readonly id: string; readonly digest?: string | undefined }) {
  return { id, digest: digest ?? null };
}

/** As a template has it. */
function checkInWords(check: ImageCheck): string {
  switch (check.kind) {
    case 'manual':
      return 'manual';
    case 'every':
      return check.written;
    case 'cron':
      return check.cron;
  }
}
