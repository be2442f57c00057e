#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Sets the light of all sensors by a rule of its own, and reads the frames of each batch.

usage: light.py [SENSORS [NUMBER_OF_BATCHES]]

The rule: the brightest sensor's mean is to be a fifth of full scale, and all sensors get the same
exposure and gain. Exits with 1 if that is not reached. Needs python3-gi, python3-gst-1.0 and
gir1.2-gst-plugins-base-1.0, and says so with exit status 77 where they are missing.
"""
import sys

try:
    import gi

    gi.require_version("Gst", "1.0")
    gi.require_version("GstApp", "1.0")
    gi.require_version("GstVideo", "1.0")
    from gi.repository import Gst, GstApp, GstVideo  # noqa: F401  (GstApp gives appsink its methods)
except (ImportError, ValueError) as missing:
    print(f"needs GStreamer for Python: {missing}")
    sys.exit(77)

TARGET = 0.2
CLOSE_ENOUGH = 0.05  # of the target; nearer than this nothing is changed
MOST_EXPOSURE = 20_000_000  # ns


class Light:
    """Decides on the light, and keeps what each batch was made of."""

    def __init__(self):
        self.reports = {}  # batch number -> {slot: luma}

    def decide(self, source, report):
        """Handler of the signal `light`: the settings that all sensors shall have, or None."""
        fresh = [s for s in sensors_of(report) if s.has_field("luma")]
        self.reports[report.get_value("batch")] = {
            s.get_value("sensor"): s.get_value("luma") for s in fresh
        }
        if not fresh:
            return None
        brightest = max(fresh, key=lambda s: s.get_value("luma"))
        luma = max(brightest.get_value("luma"), 0.001)
        if abs(luma / TARGET - 1) < CLOSE_ENOUGH:
            return None
        # Each frame tells what it was exposed with: no need to wait until the last change holds.
        light = brightest.get_value("exposure-time") * brightest.get_value("analogue-gain")
        # What is clipped is brighter than it looks.
        light *= 0.25 if brightest.get_value("clipped-bright") > 0.3 else TARGET / luma
        exposure = min(
            light, MOST_EXPOSURE, *(s.get_value("exposure-time-max") for s in fresh)
        )
        exposure = max(exposure, *(s.get_value("exposure-time-min") for s in fresh), 1)
        gain = min(light / exposure, *(s.get_value("analogue-gain-max") for s in fresh), 1000)
        answer = Gst.Structure.new_empty("settings")
        answer.set_value("exposure-time", int(exposure))
        answer.set_value("analogue-gain", max(gain, 1.0))
        return answer


def sensors_of(report):
    """The structures of the sensors, in slot order."""
    sensors = report.get_value("sensors")
    return [sensors[i] for i in range(len(sensors))]


def mean_of_slots(buffer):
    """The mean of the luma plane of each slot, of 0 to 255: the frames lie in one memory."""
    means = []
    with buffer.map(Gst.MapFlags.READ) as mapped:
        pixels = memoryview(mapped.data)
        while True:
            plane = GstVideo.buffer_get_video_meta_id(buffer, len(means))
            if plane is None:
                return means
            begin, stride = plane.offset[0], plane.stride[0]
            # Every 16th row, every 16th pixel: enough for a mean.
            rows = [
                pixels[begin + y * stride : begin + y * stride + plane.width : 16]
                for y in range(0, plane.height, 16)
            ]
            means.append(sum(map(sum, rows)) / sum(map(len, rows)))


def main():
    sensors = sys.argv[1] if len(sys.argv) > 1 else "sim;sim?response=2"
    num_batches = int(sys.argv[2]) if len(sys.argv) > 2 else 60
    Gst.init(None)
    pipeline = Gst.parse_launch(
        f'lockstepsrc name=source light-mode=application sensors="{sensors}" '
        f"num-buffers={num_batches} ! video/x-raw(ANY),format=NV12,width=640,height=360 ! "
        "appsink name=sink sync=false"
    )
    light = Light()
    pipeline.get_by_name("source").connect("light", light.decide)
    pipeline.set_state(Gst.State.PLAYING)
    sink = pipeline.get_by_name("sink")
    lumas = {}
    while True:
        sample = sink.emit("pull-sample")
        if sample is None:
            break
        buffer = sample.get_buffer()
        # A batch's number is its buffer's offset. Handlers are told of cameras' batches aside from
        # the stream: a report may come later than its batch, or be skipped for a newer one.
        lumas = light.reports.pop(buffer.offset, lumas)
        means = ", ".join(f"{mean:5.1f}" for mean in mean_of_slots(buffer))
        told = ", ".join(f"{luma:.3f}" for luma in lumas.values())
        print(f"batch {buffer.offset:3}: mean pixel {means}; linear luma {told}")
    error = pipeline.get_bus().pop_filtered(Gst.MessageType.ERROR)
    pipeline.set_state(Gst.State.NULL)
    if error:
        print(error.parse_error()[0].message)
        return 1
    if not lumas or abs(max(lumas.values()) / TARGET - 1) > 2 * CLOSE_ENOUGH:
        print(f"the light did not settle: {lumas}, wanted {TARGET} for the brightest")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
