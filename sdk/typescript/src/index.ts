// Windvane's hooks for Node and browsers: record what a model predicts, without slowing it down. See docs/SDK.md.
export { type Assignment, type Definition, assign } from "./assignment.js";
export { Client, type Settings } from "./client.js";
export {
  type Answer, type Exposure, type Kind, type Measurement, type Outcome, type Prediction, type Scalar, makeId,
} from "./events.js"; // prettier-ignore
export type { Reason, Stats } from "./queue.js";
export { keeps } from "./sampling.js";
