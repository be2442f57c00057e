// SPDX-License-Identifier: MIT
#pragma once

/// Everything the library offers; each header also stands alone.
#include "lockstep/cuda.h"
#include "lockstep/cuda_kernels.h"
#include "lockstep/drop_counter.h"
#include "lockstep/eglstream.h"
#include "lockstep/format.h"
#include "lockstep/frame.h"
#include "lockstep/histogram.h"
#include "lockstep/light.h"
#include "lockstep/memory.h"
#include "lockstep/metering.h"
#include "lockstep/mosaic.h"
#include "lockstep/painted_code.h"
#include "lockstep/result.h"
#include "lockstep/rig.h"
#include "lockstep/sensor.h"
#include "lockstep/sensor_spec.h"
#include "lockstep/settings.h"
#include "lockstep/slot_dispenser.h"
#include "lockstep/synchroniser.h"
#include "lockstep/time.h"
