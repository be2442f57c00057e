// SPDX-License-Identifier: MIT
#pragma once

#include "gst_handles.h"
#include "lockstep/result.h"
#include "record.h"

namespace lockstep::tools {

/// The elements of a recording, linked and set; not started.
struct RecordPipeline {
  PipelinePtr pipeline;
  GstElement* source = nullptr;  ///< Owned by the pipeline, as are the others.
  GstElement* parser = nullptr;  ///< Gives one buffer for each encoded picture.
  GstElement* sink = nullptr;
};

/// \errors  invalid_argument  an option that an element does not take.
///          not_supported     an element is not installed; the text names its package.
Result<RecordPipeline> build_record_pipeline(const RecordOptions& options);

}  // namespace lockstep::tools
