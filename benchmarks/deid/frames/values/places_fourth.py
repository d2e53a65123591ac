"""Places of the fourth frames by country: towns that are, streets, villages and facilities that are not.

# is any digit, @ any capital, % a street's or a person's name, ~ a town, $ a village, ¤ the sign #; ((...)) may stay.
"""

from __future__ import annotations

TOWNS = {
    "us": "Galveston Ashtabula Winnemucca Pocatello Beloit Muskogee Valdosta Oneonta Elko Minot Bozeman Corning",
    "ca": "Saskatoon Chilliwack Timmins Brandon Drummondville Cornwall Whitehorse Bathurst Kenora",
    "uk": "Macclesfield Hartlepool Llanelli Bridgend Dumfries Louth Goole Andover Ware Lisburn Skegness March Hove",
    "ie": "Dundalk Sligo Thurles Cobh Roscrea Wicklow Cavan Tuam Bray Skibbereen",
    "in": "Jabalpur Kottayam Vellore Anantapur Dharwad Meerut Bokaro Hosur Karimnagar Alwar Jalna",
    "au": "Rockhampton Shepparton Bunbury Cessnock Lismore Whyalla Burnie Palmerston Cowra Ararat Nowra",
    "za": "Bloemfontein George Ladysmith Worcester Kimberley Soweto Klerksdorp Knysna Tzaneen",
    "sg": "Tampines Toa_Payoh Jurong Yishun Bedok Punggol Bishan",
    "ng": "Ibadan Enugu Kaduna Abeokuta Onitsha Ilorin Owerri Jos Warri",
}
VILLAGES = """Kurumbur Ballynacarrow Chettikulam Upper-Sallow Mokgopane Rampura Lisnagry Nether-Stowe Igbodo Kalyanpura
Carrigeen Amakhala"""
_STREETS = """Abbeyfield Begonia Carnarvon Durham Elphinstone Fairview Grosvenor Huntingdon Jubilee Knowles Linden
Mayfield Newlands Oxford Paddock Ridgeway Sandpiper Thistle Vineyard Waverley Subhash Ranade Akin Riebeek
Bluebell Cherry Market Bridge"""
STREETS = tuple(_STREETS.split())
ADDRESSES = {
    "us": ("#### % Blvd", "### N % St ((Apt)) #@", "PO Box ####", "##1 E 1#th St", "#### ((County Road)) ##",
           "12## % Pkwy ((Unit)) ##",
           "RR # Box ##", "4## % Ln", "##5 SW % Ave #2##", "#### Highway ## S", "2#-1# 4#th Ave", "1### Old % Pike"),
    "ca": ("1#-3## % St", "1##4 8 Ave SW", "2## Rue %", "RR #, % Line", "### % Cres", "1#0# - ##2 % Dr"),
    "uk": ("((Flat)) #, 1# % Lane", "2#@ % Road", "% Cottage, Church Lane", "The Old Rectory, % Road", "3# % Mews",
           "1#-2# % Rise", "((Flat)) #@ % Court, % Street",
           "#1 % Close, $", "% Farm, $", "4 % Walk", "1# The %"),
    "ie": ("((Apt)) 1#, The %, % Road", "#2 % Heights", "$, ((Co.)) Galway", "1# % Park, Dublin 1#", "% Lodge, $",
           "2# % Drive, $"),
    "in": ("((H.No.)) 1#-#-2##, % Nagar", "((Plot)) 1#, ((Sector)) 1#", "@-#1, % Colony",
           "#rd Cross, #th Main, % Layout", "((Door No)) 1#/#, % Street", "((Flat)) 3##, % Apartments",
           "1#/# % Road, ((opp.)) % Temple", "((Vill.)) $, ((PO)) %pur", "((House No)) 4#, $ ((village))",
                  "#6 M.G. Road, ((behind)) % Bhavan", "S-1#, % Enclave", "((Near)) % Masjid, $"),
    "au": ("U#/2# % St", "((Lot)) # % Rd", "#/4# % Parade", "((Unit)) 1#, 1## % Hwy", "2## % Cct", "1# % Esplanade",
           "((RMB)) ##1 % Track", "PO Box ##, $"),
    "za": ("1# % Straat", "((Erf)) 2##, $", "((House)) 1#2#, ((Zone)) #", "#4 % Ave, % Park",
           "((Stand)) #1#, $ ((Ext)) #", "Plaas %, $"),
    "sg": ("Blk 1## % Ave # ¤0#-2##", "((Block)) 4#@ % Street #1 ¤1#-##", "1# % Crescent", "2# % Link ¤0#-1#"),
    "ng": ("((No.)) 1# % Street, off % Road", "((Plot)) #, Block @, % Estate", "Km # % Expressway",
           "#2@ % Close, GRA", "1# % Crescent, Phase #"),
}  # fmt: skip
POSTCODES = {
    "us": ("#####", "#####-####"), "ca": ("K#@ #@#", "T#@#@#"), "uk": ("@@# #@@", "@@## #@@", "@# #@@"),
           "ie": ("@## @###", "@##@@##"),
    "in": ("######", "### ###"), "au": ("2###", "3###"), "za": ("2###", "0###"), "sg": ("5#####",), "ng": ("1#####",),
}  # fmt: skip
FACILITIES = {
    "us": ("~ General Hospital", "% Medical Center", "~ VA", "% Women's Clinic", "~ Urgent Care", "% Open MRI",
           "St. Alban's Hospital"),
    "ca": ("~ Civic Hospital", "% Health Sciences Centre", "Hôtel-Dieu de ~", "% Medical Imaging"),
    "uk": ("~ Infirmary", "the % Hospital", "~ Cottage Hospital", "% Road Surgery", "~ Minor Injuries Unit",
           "Queen Adelaide's, ~", "Royal ~"),
    "ie": ("Mater ~", "~ University Hospital", "% Clinic", "Our Lady's, ~"),
    "in": ("% Hospitals", "((Dr.)) % Scan Centre", "~ Govt Hospital", "% Diagnostics & Research Centre", "~ CHC",
           "% Memorial Hospital"),
    "au": ("~ Base", "% Imaging", "~ Health Service", "% Street Medical", "Mount % Private"),
    "za": ("Netcare %", "~ Provincial Hospital", "% & Partners Radiologists", "% Day Hospital"),
    "sg": ("~ General Hospital", "% Polyclinic", "Mount % Hospital"),
    "ng": ("~ Teaching Hospital", "% Specialist Hospital", "FMC ~", "% Nursing Home"),
}  # fmt: skip
