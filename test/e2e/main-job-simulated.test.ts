import { describe } from 'vitest';
import { mainJobSuite } from '../contract/main-job.ts';
import { template } from '../support/templates.ts';

describe('the main job on simulated containers', () =>
  mainJobSuite({ options: () => ({ engine: 'simulated' }), template: () => template(), survivesRestart: false }));
