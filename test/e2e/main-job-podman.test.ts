import { describe } from 'vitest';
import { titleFor, whyWithout } from '../support/container-engine.ts';
import { mainJobOnEngine } from '../contract/main-job-on-engine.ts';

describe.skipIf(whyWithout('podman') !== undefined)(`the main job on ${titleFor('podman')}`, () =>
  mainJobOnEngine('podman'),
);
