# A thin adapter: CMakeLists.txt is the build, this lets node-gyp and prebuildify call it. Not in the npm package,
# where npm would take it for a reason to compile at install.
{
  'targets': [
    {
      'target_name': 'brain3d',
      'type': 'none',
      'actions': [
        {
          'action_name': 'cmake',
          'inputs': [],
          # Never made, so that the action always runs: CMake knows what is up to date.
          'outputs': ['<(PRODUCT_DIR)/always'],
          'action': ['node', 'scripts/gyp-build.mjs', '<(PRODUCT_DIR)'],
        },
      ],
    },
  ],
}
