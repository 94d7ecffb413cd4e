import { describe } from 'vitest';
import { titleFor, whyWithout } from '../support/container-engine.ts';
import { containerEngineContract } from './container-engine.ts';

describe.skipIf(whyWithout('docker') !== undefined)(titleFor('docker'), () => containerEngineContract('docker'));
