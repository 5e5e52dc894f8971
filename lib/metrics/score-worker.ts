/** The thread that scores texts. */
import { serveJobs } from '../worker-pool';
import { evaluateTexts, type TextScores } from './evaluate-texts';
import type { ScoreJob } from './score';

serveJobs<ScoreJob, TextScores>(({ pairs, settings }) => evaluateTexts(pairs, settings));
