# Packages the accelerator as an IP core, instead of the component.xml that came with it:
#
#     vivado -mode batch -source package.tcl

set here [file dirname [file normalize [info script]]]
file delete -force [file join $here component.xml]

create_project -in_memory -part xc7z020clg400-1
read_verilog [file join $here $top.v]
set_property top $top [current_fileset]
ipx::package_project -root_dir $here -vendor $vendor -library $library -taxonomy /UserIP
set core [ipx::current_core]
set_property name $name $core
set_property version $version $core
set_property display_name $top $core
foreach bus {s_axi m_axi} {
    if {![llength [ipx::get_bus_interfaces $bus -of_objects $core]]} {
        error "no interface $bus was found in $top.v"
    }
    ipx::associate_bus_interfaces -busif $bus -clock aclk $core
}
foreach family {artix7 kintex7 spartan7 virtex7 zynq zynquplus kintexu virtexu} {
    set families($family) Production
}
set_property supported_families [array get families] $core
ipx::create_xgui_files $core
ipx::update_checksums $core
ipx::check_integrity $core
ipx::save_core $core
