// SPDX-License-Identifier: MIT
#include "gstlocksteperror.h"

#include <string>

#include "lockstep/printable.h"

namespace lockstep {
namespace {

struct GstCode {
  GQuark domain = 0;
  gint code = 0;
};

GstCode resource(GstResourceError code) { return {GST_RESOURCE_ERROR, code}; }

// No default: a new Errc must find its place here.
GstCode gst_code(Errc code) {
  switch (code) {
    case Errc::invalid_argument:
    case Errc::not_supported:
      return resource(GST_RESOURCE_ERROR_SETTINGS);
    case Errc::not_found:
      return resource(GST_RESOURCE_ERROR_NOT_FOUND);
    case Errc::busy:
      return resource(GST_RESOURCE_ERROR_BUSY);
    case Errc::no_common_format:
      return {GST_CORE_ERROR, GST_CORE_ERROR_NEGOTIATION};
    case Errc::permission_denied:
      return resource(GST_RESOURCE_ERROR_NOT_AUTHORIZED);
    case Errc::out_of_memory:
    case Errc::out_of_fds:
      return resource(GST_RESOURCE_ERROR_NO_SPACE_LEFT);
    case Errc::device_lost:
    case Errc::timed_out:
      return resource(GST_RESOURCE_ERROR_READ);
    case Errc::interrupted:
    case Errc::io:
      return resource(GST_RESOURCE_ERROR_FAILED);
  }
  return resource(GST_RESOURCE_ERROR_FAILED);
}

void post(GstElement* element, GstMessageType type, const Error& error) {
  const GstCode code = gst_code(error.code);
  std::string debug = to_string(error.code);
  if (error.os_error != 0) debug += ", " + number_text(error);
  gst_element_message_full(element, type, code.domain, code.code,
                           g_strdup(printable(error.what, kMessageBytes).c_str()),
                           g_strdup(debug.c_str()), __FILE__, __func__, __LINE__);
}

}  // namespace

void post_error(GstElement* element, const Error& error) {
  post(element, GST_MESSAGE_ERROR, error);
}

void post_warning(GstElement* element, const Error& error) {
  post(element, GST_MESSAGE_WARNING, error);
}

}  // namespace lockstep
