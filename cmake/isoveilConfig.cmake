# find_package(isoveil): the client's side of an encrypted model.
#
#   target_link_libraries(mine PRIVATE isoveil::client)      # isoveil/package/client_folder.h
#
# No promise before version 1.0: docs/versioning.md.
include(CMakeFindDependencyMacro)
find_dependency(Threads)
find_dependency(fmt)
find_dependency(tl-expected)
find_dependency(OpenSSL COMPONENTS Crypto)
find_dependency(PkgConfig)
pkg_check_modules(SODIUM REQUIRED IMPORTED_TARGET libsodium)
pkg_check_modules(HWY REQUIRED IMPORTED_TARGET libhwy)
pkg_check_modules(UTF8PROC REQUIRED IMPORTED_TARGET libutf8proc)

get_filename_component(_isoveil_prefix "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)
function(_isoveil_llama name library)
  if(NOT TARGET llama::${name})
    add_library(llama::${name} SHARED IMPORTED)
    set_target_properties(llama::${name} PROPERTIES
      IMPORTED_LOCATION "${_isoveil_prefix}/lib/isoveil/lib${library}.so"
      INTERFACE_INCLUDE_DIRECTORIES "${_isoveil_prefix}/include/isoveil/llama"
      INTERFACE_LINK_LIBRARIES "${ARGN}")
  endif()
endfunction()
if(NOT TARGET llama::json)
  add_library(llama::json INTERFACE IMPORTED)
  target_include_directories(llama::json SYSTEM INTERFACE "${_isoveil_prefix}/include/isoveil/llama")
endif()
_isoveil_llama(ggml ggml-base)
_isoveil_llama(ggml_all ggml llama::ggml)
_isoveil_llama(llama llama llama::ggml_all)
_isoveil_llama(common llama-common llama::llama llama::json)

include("${CMAKE_CURRENT_LIST_DIR}/isoveilTargets.cmake")
if(NOT TARGET isoveil::client)
  add_library(isoveil::client INTERFACE IMPORTED)
  target_link_libraries(isoveil::client INTERFACE isoveil::package)
endif()
