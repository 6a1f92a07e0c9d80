# The pinned llama.cpp, as scripts/llama lays it out.
#
#   llama::ggml     block arithmetic of quantised tensors (ggml.h, gguf types)
#   llama::llama    vocabularies, and models for `verify`
#   llama::common   chat templates and tool-call parsing
#   llama::json     nlohmann/json, header only
#   llama::httplib  cpp-httplib, compiled here
#   LLAMA_SERVER    the stock llama-server

# Taken into the build folder: what is built must also run for users who cannot read the home of whoever built it.
set(_llama_bin "${PROJECT_BINARY_DIR}/llama")
file(COPY "${ISOVEIL_LLAMA_PREFIX}/bin/" DESTINATION "${_llama_bin}")

set(_hint "run scripts/llama, and pass -DISOVEIL_LLAMA_PREFIX=<the prefix it prints>")
foreach(_lib llama llama-common ggml ggml-base)
  unset(LLAMA_${_lib}_LIBRARY CACHE)
  find_library(LLAMA_${_lib}_LIBRARY ${_lib} PATHS "${_llama_bin}" NO_DEFAULT_PATH)
endforeach()
unset(LLAMA_SERVER CACHE)
unset(LLAMA_QUANTIZE CACHE)
find_program(LLAMA_SERVER llama-server PATHS "${_llama_bin}" NO_DEFAULT_PATH)
find_program(LLAMA_QUANTIZE llama-quantize PATHS "${_llama_bin}" NO_DEFAULT_PATH)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Llama
  REQUIRED_VARS LLAMA_llama_LIBRARY LLAMA_llama-common_LIBRARY LLAMA_ggml_LIBRARY
                LLAMA_ggml-base_LIBRARY LLAMA_SERVER LLAMA_QUANTIZE
  REASON_FAILURE_MESSAGE "${_hint}")

function(_llama_import name library include)
  add_library(llama::${name} UNKNOWN IMPORTED)
  set_target_properties(llama::${name} PROPERTIES IMPORTED_LOCATION "${library}"
    INTERFACE_INCLUDE_DIRECTORIES "${include}")
  target_link_libraries(llama::${name} INTERFACE ${ARGN})
endfunction()

if(Llama_FOUND AND NOT TARGET llama::llama)
  add_library(llama::json INTERFACE IMPORTED)
  target_include_directories(llama::json SYSTEM INTERFACE "${ISOVEIL_LLAMA_PREFIX}/vendor")
  add_library(isoveil_httplib STATIC "${ISOVEIL_LLAMA_PREFIX}/vendor/cpp-httplib/httplib.cpp")
  target_include_directories(isoveil_httplib SYSTEM PUBLIC "${ISOVEIL_LLAMA_PREFIX}/vendor/cpp-httplib")
  # With gzip, and in a namespace of its own: libllama-common exports a copy without, which would be taken instead.
  find_package(ZLIB REQUIRED)
  target_compile_definitions(isoveil_httplib PUBLIC CPPHTTPLIB_ZLIB_SUPPORT httplib=isoveil_httplib)
  # Else its client holds back every body of a kilobyte until the server says "100 Continue", or a second has passed.
  target_compile_definitions(isoveil_httplib PRIVATE CPPHTTPLIB_EXPECT_100_THRESHOLD=0)
  target_link_libraries(isoveil_httplib PUBLIC Threads::Threads ZLIB::ZLIB)
  add_library(llama::httplib ALIAS isoveil_httplib)
  _llama_import(ggml "${LLAMA_ggml-base_LIBRARY}" "${ISOVEIL_LLAMA_PREFIX}/include")
  _llama_import(ggml_all "${LLAMA_ggml_LIBRARY}" "${ISOVEIL_LLAMA_PREFIX}/include" llama::ggml)
  _llama_import(llama "${LLAMA_llama_LIBRARY}" "${ISOVEIL_LLAMA_PREFIX}/include" llama::ggml_all)
  _llama_import(common "${LLAMA_llama-common_LIBRARY}" "${ISOVEIL_LLAMA_PREFIX}/common" llama::llama llama::json)
endif()
