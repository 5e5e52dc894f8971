/** The thread that scores texts. */
import { serveJobs } from '../base/worker-pool';
import { evaluateRuns, type TextScores } from './evaluate-texts';
import type { ScoreJob } from './score';

serveJobs<ScoreJob, TextScores>(({ run, settings }) => evaluateRuns([run], settings).scores);
