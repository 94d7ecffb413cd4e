import { describe } from 'vitest';
import { titleFor, whyWithout } from '../support/container-engine.ts';
import { mainJobOnEngine } from '../contract/main-job-on-engine.ts';

describe.skipIf(whyWithout('docker') !== undefined)(`the main job on ${titleFor('docker')}`, () =>
  mainJobOnEngine('docker'),
);
