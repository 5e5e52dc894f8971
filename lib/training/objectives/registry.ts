/** The list of objectives that a phase may have. A new one is a file beside this one, and its name here. */
import { type ContrastiveSettings, contrastive } from './contrastive';
import { type ReportSettings, report } from './report';

export const OBJECTIVES = { contrastive, report };
export type ObjectiveName = keyof typeof OBJECTIVES;

/** The settings of all objectives; a phase uses those of its own. */
export type ObjectiveSettings = ContrastiveSettings & ReportSettings;

export const OBJECTIVE_DEFAULTS: ObjectiveSettings = { ...contrastive.defaults, ...report.defaults };
export const OBJECTIVE_ENTRIES = { ...contrastive.entries, ...report.entries };
