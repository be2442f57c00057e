/* SPDX-License-Identifier: MIT */
/* A program of someone else's that looks into batches. */
#include <gst/lockstep/gstlockstepbatchmeta.h>
#include <stdio.h>

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  GstBuffer* buffer = gst_buffer_new();
  gst_buffer_add_lockstep_batch_meta(buffer, 2);
  GstLockstepBatchMeta* meta = gst_buffer_get_lockstep_batch_meta(buffer);
  printf("%u slots\n", meta ? gst_lockstep_batch_meta_get_n_frames(meta) : 0);
  gst_buffer_unref(buffer);
  return 0;
}
