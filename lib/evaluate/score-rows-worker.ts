/** The thread that scores the table. */
import { serveJobs } from '../base/worker-pool';
import { type ScoreRowsJob, type ScoreRowsResult, scoreRows } from './score-rows';

serveJobs<ScoreRowsJob, ScoreRowsResult>(scoreRows);
